/* make_reference.c - prints the configuration's reference: `make_reference man|markdown`. Built, never
 * installed; `make docs-reference` writes docs/ with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int main(int argc, char **argv)
{
    bool man = argc == 2 && strcmp(argv[1], "man") == 0;
    if (!man && !(argc == 2 && strcmp(argv[1], "markdown") == 0)) {
        (void)fputs("usage: make_reference man|markdown\n", stderr);
        return 2;
    }
    struct buf out;
    buf_init(&out, 0);
    config_reference(man ? CONFIG_REFERENCE_MAN : CONFIG_REFERENCE_MARKDOWN, &out);
    bool ok = !out.failed && fwrite(out.data, 1, out.bytes, stdout) == out.bytes && fflush(stdout) == 0;
    buf_fini(&out);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
