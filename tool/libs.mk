TOOL_LIBS := -lelf -lcyaml -lyaml -ljansson -lcapstone -lnettle -lz
