# the sample catalogue (README.md says what is in it)
EXTRA_DIST += %D%/README.md %D%/tools.jsonl
