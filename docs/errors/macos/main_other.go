//go:build !linux

package main

import "fmt"

func main() { fmt.Println("Namespaces are Linux's. Start this in a Linux container.") }
