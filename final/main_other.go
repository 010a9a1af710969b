//go:build !linux

package main

import (
	_ "embed"

	"gonsrun/internal/narrate"
)

//go:embed main.go
var manual string

func main() { narrate.NeedsLinux(manual) }
