/*
 * loader.c - from a name to a checked descriptor.
 *
 * dlopen(RTLD_NOW) comes before libltdl, which binds lazily: a missing function is found here, with the
 * dynamic linker's own words, and not at the first call. Owns the copies of descriptors; never unloads, runs
 * no code of a plugin (constructors aside).
 */
#include <dlfcn.h>
#include <errno.h>
#include <ltdl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "plugin/check.h"
#include "plugin/plugin.h"

struct plugin_set {
    struct plugin *plugins;
    size_t count;
    char **files; /* owned, one per plugin */
};

struct load {
    struct plugin_set *set;
    const char *const *paths;
    struct plugin_problems problems;
    int trouble; /* why a folder could not be looked into, as errno says it; 0: all could */
};

/* "FOLDER/" + `between` + NAME + ENDING, allocated; NULL when memory is out. */
static char *path_of(const char *folder, const char *between, const char *name, const char *ending)
{
    struct buf text;
    buf_init(&text, 0);
    buf_printf(&text, "%s/%s%s%s", folder, between, name, ending);
    char *path = buf_take(&text, NULL);
    if (!path) buf_fini(&text);
    return path;
}

static bool is_name(const char *name)
{
    size_t bytes = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return bytes && bytes <= 64 && !name[bytes];
}

/* `path` is NULL when there was no memory for it. */
static bool exists(struct load *load, const char *path)
{
    struct stat status;
    if (path && stat(path, &status) == 0) return true;
    int reason = path ? errno : ENOMEM;
    if (reason != ENOENT && reason != ENOTDIR) load->trouble = reason;
    return false;
}

/* Where a plugin is: what libltdl opens, and the shared object behind it. */
struct place {
    char *open; /* owned: the .so, or the .la of a build tree */
    char *file; /* owned: the .so */
};

static void place_fini(struct place *p)
{
    free(p->open);
    free(p->file);
    *p = (struct place){NULL, NULL};
}

/* Looks into one folder; a libtool archive counts where the library isn't installed, so that a build tree
 * works. */
static bool look_into(struct load *load, const char *folder, const char *name, struct place *out)
{
    out->file = path_of(folder, "", name, ".so");
    out->open = path_of(folder, "", name, ".so");
    if (exists(load, out->file) && exists(load, out->open)) return true;
    place_fini(out);
    out->open = path_of(folder, "", name, ".la");
    out->file = path_of(folder, ".libs/", name, ".so");
    if (exists(load, out->open) && exists(load, out->file)) return true;
    place_fini(out);
    return false;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The first folder that has it; two of the configured folders that have different ones are a mistake. */
static bool find(struct load *load, const char *name, struct place *out)
{
    bool found = false;
    load->trouble = 0;
    for (size_t i = 0; load->paths && load->paths[i]; i++) {
        struct place place = {NULL, NULL};
        if (!look_into(load, load->paths[i], name, &place)) continue;
        if (!found) {
            *out = place;
            found = true;
            continue;
        }
        if (!same_file(out->file, place.file))
            problem(
                &load->problems,
                "%s: the plugin `%s` is also in %s; delete one of them, or take its folder out of `path` in "
                "[plugins]",
                place.file, name, out->file);
        place_fini(&place);
    }
    return found || look_into(load, PKGLIBDIR "/plugins", name, out);
}

static void report_missing(struct load *load, const char *name)
{
    struct buf folders;
    buf_init(&folders, 0);
    for (size_t i = 0; load->paths && load->paths[i]; i++) buf_printf(&folders, "%s, ", load->paths[i]);
    buf_puts(&folders, PKGLIBDIR "/plugins");
    const char *where = folders.failed ? "any folder" : folders.data;
    if (load->trouble)
        problem(&load->problems, "the plugin `%s` (%s.so) can't be looked for in %s: %s", name, name, where,
                load->trouble == ENOMEM ? "out of memory" : strerror(load->trouble));
    else
        problem(&load->problems,
                "there is no plugin `%s` (%s.so) in %s; install it there, or name its folder as `path` in "
                "[plugins]",
                name, name, where);
    buf_fini(&folders);
}

/* What the dynamic linker says, with advice where its words need some. */
static void report_dlopen(struct load *load, const char *file)
{
    const char *said = dlerror();
    if (!said) said = "the dynamic linker gave no reason";
    size_t bytes = strlen(file);
    if (strncmp(said, file, bytes) == 0 && said[bytes] == ':') said += bytes + 1 + (said[bytes + 1] == ' ');
    const char *cure = "build it again on this machine";
    if (strstr(said, "undefined symbol"))
        cure = "a plugin may use libbson and libc alone; link it with -Wl,-z,defs to see what is missing";
    else if (strstr(said, "invalid ELF header") || strstr(said, "file too short"))
        cure = "this is no shared object; build it with -shared -fPIC";
    else if (strstr(said, "wrong ELF class"))
        cure = "it was built for another kind of machine; build it on this one";
    problem(&load->problems, "%s: can't be loaded: %s; %s", file, said, cure);
}

/* Maps the file; NULL, and reported, if that can't be. */
static const struct lks_plugin *map(struct load *load, const struct place *place)
{
    if (access(place->file, R_OK) != 0) {
        problem(&load->problems, "%s: can't be read: %s; let the user that Lockstep runs as read it",
                place->file, strerror(errno));
        return NULL;
    }
    if (!dlopen(place->file, RTLD_NOW | RTLD_LOCAL)) {
        report_dlopen(load, place->file);
        return NULL;
    }
    lt_dlhandle handle = lt_dlopen(place->open);
    if (!handle) {
        problem(&load->problems, "%s: can't be opened: %s", place->open, lt_dlerror());
        return NULL;
    }
    const struct lks_plugin *descriptor = lt_dlsym(handle, "lks_plugin");
    if (!descriptor)
        problem(
            &load->problems,
            "%s: exports no `lks_plugin`; define `const struct lks_plugin lks_plugin` and keep it visible",
            place->file);
    return descriptor;
}

static void load_one(struct load *load, const char *name)
{
    struct place place = {NULL, NULL};
    struct plugin_set *set = load->set;
    if (plugins_find(set, name)) return;
    if (!is_name(name)) {
        problem(&load->problems, "`%s` can't be a plugin's name: letters, digits, _ and - only", name);
    } else if (!find(load, name, &place)) {
        report_missing(load, name);
    } else {
        struct plugin *plugin = &set->plugins[set->count];
        const struct lks_plugin *descriptor = map(load, &place);
        if (descriptor && plugin_check(descriptor, place.file, name, &plugin->descriptor, &load->problems)) {
            plugin->file = set->files[set->count++] = place.file;
            place.file = NULL;
        }
    }
    place_fini(&place);
}

static bool is_earlier(const char *const *names, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(names[i], names[j]) == 0) return true;
    return false;
}

static void check_paths(struct load *load)
{
    for (size_t i = 0; load->paths && load->paths[i]; i++)
        if (load->paths[i][0] != '/')
            problem(&load->problems,
                    "the plugin folder `%s` is a relative path; name it from the root (/...)",
                    load->paths[i]);
}

enum lks_code plugins_load(const char *const *paths, const char *const *names, size_t count,
                           struct plugin_set **out, plugin_report report, void *context, struct lks_err *err)
{
    struct plugin_set *set = calloc(1, sizeof *set);
    struct load load = {.set = set, .paths = paths, .problems = {.report = report, .context = context}};
    *out = NULL;
    if (set) set->plugins = calloc(count + 1, sizeof *set->plugins);
    if (set) set->files = calloc(count + 1, sizeof *set->files);
    if (!set || !set->plugins || !set->files) {
        plugins_free(set);
        return lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    if (lt_dlinit() != 0) {
        plugins_free(set);
        return lks_fail(err, LKS_E_IO, "libltdl can't start: %s", lt_dlerror());
    }
    check_paths(&load);
    for (size_t i = 0; i < count; i++)
        if (!is_earlier(names, i)) load_one(&load, names[i]);
    if (load.problems.count) {
        plugins_free(set);
        return lks_fail(err, LKS_E_CONFIG, "plugins can't be loaded: %zu problem%s", load.problems.count,
                        load.problems.count == 1 ? "" : "s");
    }
    *out = set;
    return LKS_E_OK;
}

void plugins_free(struct plugin_set *set)
{
    if (!set) return;
    for (size_t i = 0; set->files && i < set->count; i++) free(set->files[i]);
    free(set->files);
    free(set->plugins);
    free(set);
}

size_t plugins_count(const struct plugin_set *set)
{
    return set->count;
}

const struct plugin *plugins_at(const struct plugin_set *set, size_t i)
{
    return &set->plugins[i];
}

const struct plugin *plugins_find(const struct plugin_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->plugins[i].descriptor.name, name) == 0) return &set->plugins[i];
    return NULL;
}
