TOOL_LIBS := -lelf -ljansson -lnettle -lz
