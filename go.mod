module gonsrun

go 1.24.0

require (
	github.com/fatih/color v1.18.0
	golang.org/x/sys v0.41.0
)

require (
	github.com/mattn/go-colorable v0.1.13 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
)
