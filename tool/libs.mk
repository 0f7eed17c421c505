TOOL_LIBS := -lelf -lcyaml -ljansson -larchive -lnettle -lz
