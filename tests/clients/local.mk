# clients: clients nobody here wrote, against the stand-in servers
TESTS += %D%/clients.sh
EXTRA_DIST += %D%/clients.sh %D%/package.json %D%/package-lock.json %D%/mongodb.mjs %D%/qdrant.mjs
clean-local: clean-clients
clean-clients:
	rm -rf %D%/modules
