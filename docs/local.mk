dist_man_MANS += %D%/reference/lockstep.1
EXTRA_DIST += %D%/examples/recipes.c
nobase_dist_doc_DATA += \
	%D%/dashboard.png \
	%D%/explanation/architecture.md \
	%D%/explanation/simulation.md \
	%D%/howto/operate.md \
	%D%/log/benchmarks.md \
	%D%/log/found-by-tests.md \
	%D%/log/found.md \
	%D%/log/mutants.md \
	%D%/reference/api.md \
	%D%/reference/openapi.json \
	%D%/reference/plugins.md \
	%D%/reference/scenarios.md \
	%D%/reference/stand-ins.md \
	%D%/reference/tests.md
