# daemon: wiring, loop, signals, reload
lockstep_SOURCES += \
	%D%/app.c %D%/app.h \
	%D%/daemon.c %D%/daemon.h \
	%D%/invocation.h \
	%D%/loop.c %D%/loop.h \
	%D%/making.c %D%/making.h \
	%D%/notify.c %D%/notify.h \
	%D%/recheck.c %D%/recheck.h \
	%D%/serve.c %D%/serve.h \
	%D%/signals.c %D%/signals.h
