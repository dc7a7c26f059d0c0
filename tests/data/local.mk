# what real servers answered
EXTRA_DIST += %D%/golden/README.md %D%/golden/mongodb-4.4 %D%/golden/qdrant-1.18
# the sample catalogue (README.md says what is in it)
EXTRA_DIST += %D%/README.md %D%/tools.jsonl
# the calls of tests/live/openapi
EXTRA_DIST += %D%/api-walk.txt
# what a daemon of an older version left (README.md says what is in it)
EXTRA_DIST += %D%/state-0.1.0
