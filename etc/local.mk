pkgconfig_DATA += etc/lockstep.pc
if WITH_SYSTEMD_UNIT
systemdsystemunit_DATA = etc/lockstep.service
endif

# Made here because configure leaves ${exec_prefix} in bindir, which systemd does not expand.
EXTRA_DIST += %D%/lockstep.service.in
CLEANFILES += etc/lockstep.service
etc/lockstep.service: $(srcdir)/etc/lockstep.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(SED) 's,[@]bindir[@],$(bindir),g' $(srcdir)/etc/lockstep.service.in >$@.tmp && mv $@.tmp $@

# The example is installed as the configuration if there is none; a changed one is never overwritten.
nobase_dist_doc_DATA += %D%/lockstep.ini
install-data-local: install-lockstep-ini
uninstall-local: uninstall-lockstep-ini
.PHONY: install-lockstep-ini uninstall-lockstep-ini
install-lockstep-ini:
	@$(MKDIR_P) "$(DESTDIR)$(sysconfdir)"
	@if test -e "$(DESTDIR)$(sysconfdir)/lockstep.ini"; then \
	  echo "keeping $(DESTDIR)$(sysconfdir)/lockstep.ini as it is"; \
	else \
	  $(INSTALL_DATA) $(srcdir)/etc/lockstep.ini "$(DESTDIR)$(sysconfdir)/lockstep.ini"; \
	fi
uninstall-lockstep-ini:
	@if cmp -s $(srcdir)/etc/lockstep.ini "$(DESTDIR)$(sysconfdir)/lockstep.ini"; then \
	  rm -f "$(DESTDIR)$(sysconfdir)/lockstep.ini"; \
	fi

# Examples for Prometheus and Grafana, installed with the documentation.
nobase_dist_doc_DATA += %D%/alerts.yml %D%/grafana-dashboard.json
