pkgconfig_DATA += etc/lockstep.pc
if WITH_SYSTEMD_UNIT
systemdsystemunit_DATA = etc/lockstep.service
endif
