package lesson

import "gonsrun/internal/narrate"

// needsLinux is what a program says on another system.
func needsLinux(m narrate.Manual, system string) string {
	return m.Text + `

All of this is done by namespaces, a feature of the Linux kernel, and this is
` + systemName(system) + `. Two ways to a Linux from here, both in the project's folder:

  with Docker:
    docker build -t gonsrun .
    docker run --rm -it --privileged -v "${PWD}:/workshop" gonsrun

  with Vagrant:
    vagrant up
    vagrant ssh

There, type:

    go run ./` + m.Program + ` run /bin/sh
`
}

func systemName(goos string) string {
	switch goos {
	case "darwin":
		return "macOS"
	case "windows":
		return "Windows"
	}
	return goos
}
