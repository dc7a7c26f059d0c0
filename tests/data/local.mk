# what real servers answered
EXTRA_DIST += %D%/golden/README.md %D%/golden/mongodb-4.4 %D%/golden/qdrant-1.18
