/* problem.c - see problem.h. */
#include "plugin/problem.h"

#include <stdarg.h>
#include <stdio.h>

void problem(struct plugin_problems *p, const char *format, ...)
{
    char text[LKS_ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->count++;
    if (p->report) p->report(p->context, text);
}
