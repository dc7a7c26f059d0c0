/* notify.h - telling systemd how we are (sd_notify's protocol; nothing happens where NOTIFY_SOCKET isn't
 * set). */
#ifndef LOCKSTEP_DAEMON_NOTIFY_H
#define LOCKSTEP_DAEMON_NOTIFY_H

/* "READY=1", "STOPPING=1", "RELOADING=1", "WATCHDOG=1". */
void notify(const char *state);

#endif
