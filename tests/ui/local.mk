# ui: the dashboard in a browser, against a daemon with stand-ins
TESTS += %D%/ui.sh
EXTRA_DIST += %D%/ui.sh %D%/webdriver.mjs %D%/world.mjs %D%/checks.mjs %D%/look.mjs %D%/act.mjs %D%/live.mjs %D%/detail.mjs %D%/faults.mjs %D%/axe.mjs
clean-local: clean-ui
clean-ui:
	rm -rf %D%/screenshots %D%/axe
