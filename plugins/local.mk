# plugins: one shared object each, which exports lks_plugin and nothing else; the .la files are installed too,
# for without them uninstalling leaves the .so files behind
plugin_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared $(MODULE_LDFLAGS) -export-symbols-regex '^lks_plugin$$'

pkgplugin_LTLIBRARIES += %D%/tools.la %D%/functionality.la %D%/usecases.la %D%/interface.la %D%/fields.la
%C%_tools_la_SOURCES = %D%/tools.c %D%/catalogue.h
%C%_tools_la_LDFLAGS = $(plugin_ldflags)
%C%_functionality_la_SOURCES = %D%/functionality.c %D%/catalogue.h
%C%_functionality_la_LDFLAGS = $(plugin_ldflags)
%C%_usecases_la_SOURCES = %D%/usecases.c %D%/catalogue.h
%C%_usecases_la_LDFLAGS = $(plugin_ldflags)
%C%_interface_la_SOURCES = %D%/interface.c %D%/catalogue.h
%C%_interface_la_LDFLAGS = $(plugin_ldflags)
%C%_fields_la_SOURCES = %D%/fields.c
%C%_fields_la_LDFLAGS = $(plugin_ldflags)
%C%_interface_la_CPPFLAGS = $(CORE_CPPFLAGS)
%C%_functionality_la_CPPFLAGS = $(CORE_CPPFLAGS)
%C%_fields_la_CPPFLAGS = $(CORE_CPPFLAGS)
%C%_tools_la_CPPFLAGS = $(CORE_CPPFLAGS)
%C%_usecases_la_CPPFLAGS = $(CORE_CPPFLAGS)
