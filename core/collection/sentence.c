/* sentence.c - patterns like "For {userTypes| and }": literal text and fields with what joins their values.
 */
#include <stdlib.h>
#include <string.h>

#include "collection/declaration.h"

/* At most one part per brace, one before the first, and one after each. */
static size_t most_pieces(const char *pattern)
{
    size_t count = 1;
    for (; *pattern; pattern++) count += *pattern == '{' || *pattern == '}';
    return 2 * count;
}

/* Text up to the next field or the end, with doubled braces made single. */
static const char *read_literal(struct arena *arena, const char **at, struct sentence_piece *piece)
{
    const char *from = *at;
    size_t bytes = 0;
    char *text = malloc(strlen(from) + 1);
    if (!text) {
        arena->failed = true;
        return "can't be read: out of memory";
    }
    while (*from && (*from != '{' || from[1] == '{')) {
        if (*from == '}' && from[1] != '}') {
            free(text);
            return "has a closing brace without an opening one (write }} for a brace)";
        }
        if (*from == '{' || *from == '}') from++;
        text[bytes++] = *from++;
    }
    *at = from;
    piece->literal = arena_clean_text(arena, text, bytes, &piece->literal_bytes);
    free(text);
    return NULL;
}

/* "{field}" or "{field|joiner}"; *at stands on the opening brace. */
static const char *read_field(struct arena *arena, const char **at, struct sentence_piece *piece)
{
    const char *from = *at + 1, *end = strchr(from, '}');
    if (!end) return "has an opening brace without a closing one (write {{ for a brace)";
    size_t bytes = (size_t)(end - from);
    const char *bar = memchr(from, '|', bytes);
    piece->joiner =
        bar ? arena_clean_text(arena, bar + 1, (size_t)(end - bar) - 1, &piece->joiner_bytes) : ", ";
    if (!bar) piece->joiner_bytes = 2;
    piece->field = arena_text(arena, from, bar ? (size_t)(bar - from) : bytes);
    *at = end + 1;
    if (!piece->field || !piece->joiner) return "can't be read: out of memory";
    return path_problem(piece->field) ? "names a field that can't be one" : NULL;
}

const char *sentence_read(struct arena *arena, const char *pattern, struct sentence *out)
{
    *out = (struct sentence){.pieces = arena_alloc(arena, most_pieces(pattern) * sizeof *out->pieces)};
    if (!out->pieces) return "can't be read: out of memory";
    if (!*pattern) return "is empty";
    for (const char *at = pattern; *at;) {
        struct sentence_piece *piece = &out->pieces[out->piece_count++];
        bool field = *at == '{' && at[1] != '{';
        const char *reason = field ? read_field(arena, &at, piece) : read_literal(arena, &at, piece);
        if (reason) return reason;
    }
    return arena->failed ? "can't be read: out of memory" : NULL;
}
