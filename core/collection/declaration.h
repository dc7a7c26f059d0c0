/*
 * declaration.h - what a collection is made of, read from the words of a plugin or of the INI file.
 *
 *   watched    "FIELD" or "FIELD WEIGHT": what makes the text. A weight is a number from 0 to 100 (1 if there
 *              is none); each value is written floor(weight) times, once more if the weight has a fraction.
 *              With 0 a field only serves the sentences.
 *   sentences  "Available on {platforms}", "For {userTypes| and }": text after the weighted parts. What
 * stands after the bar joins the values, else ", ". Each field must be watched. "{{" and "}}" are braces.
 *   payload    "FIELD" or "FIELD as NAME": what the point carries besides the watched fields. A dotted field
 *              without a NAME becomes nested objects, as in the document, so that Qdrant's filters reach it.
 *   reads      further fields that a plugin's payload_more() looks at.
 *
 * A FIELD is a dotted path (collection/path.h) without spaces.
 */
#ifndef LOCKSTEP_COLLECTION_DECLARATION_H
#define LOCKSTEP_COLLECTION_DECLARATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "collection/view.h"

/* The four lists, NULL-terminated; NULL for an empty one. Borrowed. */
struct declaration_lists {
    const char *const *watched, *const *sentences, *const *payload, *const *reads;
};

struct watched_field {
    const char *path;
    unsigned times; /* how often each value is written */
};

/* Either literal text or a field. */
struct sentence_piece {
    const char *literal; /* valid UTF-8 */
    size_t literal_bytes;
    const char *field; /* NULL: literal */
    const char *joiner;
    size_t joiner_bytes;
};

struct sentence {
    struct sentence_piece *pieces;
    size_t piece_count;
};

enum payload_kind { PAYLOAD_FIELD, PAYLOAD_ID, PAYLOAD_COLLECTION };

struct payload_field {
    enum payload_kind kind;
    const char *name; /* valid UTF-8 */
    size_t name_bytes;
    const char *path; /* PAYLOAD_FIELD */
    const char *rest; /* of the path, after its first name; NULL: nothing */
    bool nested;  /* a dotted path under its own name: the payload has objects on the way, as the document */
    size_t group; /* nested: how many from this one on share the name */
    size_t place; /* of its first name, in the declaration's names */
    const char *json_key; /* the name as JSON, with its colon */
    size_t json_key_bytes;
};

/* Immutable once made; may be shared by threads. */
struct declaration {
    struct arena arena; /* owns the strings and arrays below */
    struct watched_field *watched;
    size_t watched_count;
    struct sentence *sentences;
    size_t sentence_count;
    struct payload_field *payload; /* in the order RFC 8785 sorts their names; with `id` and `collection` */
    const char **payload_rests;    /* the same fields' `rest` */
    size_t payload_count;
    const char **reads;
    size_t read_count;
    const char **text_paths; /* the watched fields' */
    const char **all_paths;  /* all fields: watched, payload, reads, the id field and `_id` */
    size_t all_count;
    struct names names;            /* top-level names of all of them */
    char digest[SHA256_HEX_BYTES]; /* of all that is declared */
};

/* Called with each problem, as a sentence without a full stop: "watched: `nmae x`: the weight ..." */
typedef void (*declaration_report)(void *context, const char *problem);

/*
 * Reads the lists. All problems are reported; then LKS_E_CONFIG, and nothing is made. LKS_E_NOMEM otherwise.
 * `text_by_plugin`: the plugin writes text itself, so that no field must be watched with a weight.
 */
enum lks_code declaration_new(struct declaration **out, const struct declaration_lists *lists,
                              const char *id_field, bool text_by_plugin, declaration_report report,
                              void *context);
void declaration_free(struct declaration *d);

/*
 * Reads one sentence into `out`, everything allocated in `arena`. NULL, or what is wrong with it (static
 * storage). Whether its fields are watched is not looked at.
 */
const char *sentence_read(struct arena *arena, const char *pattern, struct sentence *out);

/* A name that the core keeps for itself in payloads: id, collection, _lockstep. */
bool payload_name_reserved(const char *name);

#endif
