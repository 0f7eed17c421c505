TOOL_LIBS := -lelf -lcyaml -lyaml -ljansson -lnettle -lz
