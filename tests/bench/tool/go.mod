module bench-tool

go 1.24
