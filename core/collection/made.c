/* made.c - letting go of what was made of a document. */
#include "collection/made.h"

#include <stdlib.h>

void made_fini(struct made *made)
{
    free(made->text);
    free(made->payload);
    free(made->key);
    free(made->err);
    *made = (struct made){0};
}
