dist_man_MANS += %D%/lockstep.1
dist_doc_DATA += docs/architecture.md
dist_doc_DATA += docs/testing.md
dist_doc_DATA += docs/plugins.md
EXTRA_DIST += docs/examples/recipes.c
dist_doc_DATA += docs/operations.md
dist_doc_DATA += docs/api.md
dist_doc_DATA += docs/benchmarks.md
