dist_man_MANS += %D%/reference/lockstep.1
EXTRA_DIST += %D%/examples/recipes.c
nobase_dist_doc_DATA += \
	%D%/dashboard.png \
	%D%/explanation/architecture.md \
	%D%/explanation/count-check.md \
	%D%/explanation/duplicate-ids.md \
	%D%/explanation/failures.md \
	%D%/explanation/lease-and-epoch.md \
	%D%/explanation/memory.md \
	%D%/explanation/point-lock.md \
	%D%/explanation/promises.md \
	%D%/explanation/replicas.md \
	%D%/explanation/simulation.md \
	%D%/explanation/tombstones.md \
	%D%/explanation/verification.md \
	%D%/explanation/watermark.md \
	%D%/glossary.md \
	%D%/howto/backup.md \
	%D%/howto/cost.md \
	%D%/howto/keys.md \
	%D%/howto/model.md \
	%D%/howto/monitoring.md \
	%D%/howto/plugin.md \
	%D%/howto/qdrant.md \
	%D%/howto/repair.md \
	%D%/howto/service.md \
	%D%/howto/upgrade.md \
	%D%/log/benchmarks.md \
	%D%/log/found-by-tests.md \
	%D%/log/found.md \
	%D%/log/matrix.md \
	%D%/log/mutants.md \
	%D%/reference/api.md \
	%D%/reference/cli.md \
	%D%/reference/documents.md \
	%D%/reference/metadata.md \
	%D%/reference/metrics.md \
	%D%/reference/openapi.json \
	%D%/reference/plugin.md \
	%D%/reference/scenarios.md \
	%D%/reference/stand-ins.md \
	%D%/reference/tests.md \
	%D%/tutorial.md
