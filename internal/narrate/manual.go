package narrate

import "strings"

// manual is what the first comment of a lesson's main.go says.
type manual struct {
	program string // the comment's first word, in lower case: step03-pid
	text    string
}

// parseManual reads the comment that stands before "package main".
func parseManual(source string) manual {
	head, _, _ := strings.Cut(source, "\npackage main")
	var lines []string
	for _, line := range strings.Split(head, "\n") {
		if text, ok := strings.CutPrefix(line, "//"); ok && !strings.HasPrefix(text, "go:") {
			lines = append(lines, strings.TrimPrefix(text, " "))
		}
	}
	text := strings.TrimSpace(strings.Join(lines, "\n"))
	first, _, _ := strings.Cut(text, " ")
	return manual{program: strings.ToLower(first), text: text}
}

// needsLinux is what a program says on another system.
func needsLinux(m manual, system string) string {
	return m.text + `

All of this is done by namespaces, a feature of the Linux kernel, and this is
` + systemName(system) + `. Two ways to a Linux from here, both in the project's folder:

  with Docker:
    docker build -t gonsrun .
    docker run --rm -it --privileged gonsrun

  with Vagrant:
    vagrant up
    vagrant ssh

There, type:

    go run ./` + m.program + ` run /bin/sh
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
