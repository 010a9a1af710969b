//go:build !linux

package main

import (
	_ "embed"

	"gonsrun/internal/lesson"
)

//go:embed main.go
var source string

func main() { lesson.NeedsLinux(source) }
