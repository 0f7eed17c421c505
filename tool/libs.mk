TOOL_LIBS := -lelf -lcyaml -lyaml -ljansson -lcapstone -lext2fs -lcom_err -lnettle -lz -ldl
