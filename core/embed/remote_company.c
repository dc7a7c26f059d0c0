/*
 * remote_company.c - texts that failed while others were answered travel in smaller company the next time,
 * and alone in the end, so that their neighbours do not fail with them again. What is remembered is bounded:
 * the oldest is forgotten first, and costs one more failure.
 */
#include <stdint.h>

#include "embed/remote_internal.h"
#include "embed/tokens.h"

uint64_t company_text(const struct item *item)
{
    const struct req *req = item->job->req;
    return tokens_hash(req->embed.texts[item->index], req->embed.text_bytes[item->index]);
}

static struct company *find(const struct remote *r, uint64_t text)
{
    for (size_t i = 0; i < COMPANY_MOST; i++)
        if (r->company[i].most && r->company[i].text == text) return (struct company *)&r->company[i];
    return NULL;
}

size_t company_of(const struct remote *r, const struct item *item)
{
    const struct company *c = r->company_count ? find(r, company_text(item)) : NULL;
    return c ? c->most : SIZE_MAX;
}

void company_alone(struct remote *r, const struct item *item)
{
    company_halve(r, item, 1);
}

void company_halve(struct remote *r, const struct item *item, size_t count)
{
    uint64_t text = company_text(item);
    struct company *c = find(r, text);
    if (!c) {
        c = &r->company[r->company_next++ % COMPANY_MOST];
        if (!c->most) r->company_count++;
    }
    *c = (struct company){.text = text, .most = count > 1 ? count / 2 : 1};
}

void company_forget(struct remote *r, const struct item *item)
{
    struct company *c = r->company_count ? find(r, company_text(item)) : NULL;
    if (!c) return;
    c->most = 0;
    r->company_count--;
}
