package rootfs

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience is how long a loader, or busybox, may take for its list.
const patience = 10 * time.Second

// interpreter returns the loader that the ELF file path asks the kernel for
// (its PT_INTERP, see elf(5)), "" for a static one. A script is an error.
func interpreter(path string) (string, error) {
	file, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, min(segment.Filesz, 4096))
		if _, err := segment.ReadAt(name, 0); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		return string(bytes.TrimRight(name, "\x00")), nil
	}
	return "", nil
}

// libraries returns the paths of what the ELF file path needs to run, the
// loader among them; none for a static one. It asks that loader, which knows
// where it will look: ldd(1) does the same, but is a script that not every
// system has.
func libraries(path string) ([]string, error) {
	loader, err := interpreter(path)
	if err != nil || loader == "" {
		return nil, err
	}
	if !filepath.IsAbs(loader) {
		return nil, fmt.Errorf("%s: its loader %q is not an absolute path", path, loader)
	}
	output, err := ask(loader, "--list", path)
	if err != nil {
		return nil, err
	}
	listed, err := parseList(output)
	return append([]string{loader}, listed...), err
}

// ask runs a program without the user's environment, which could hold
// LD_PRELOAD or a language, and returns what it prints.
func ask(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Env = []string{"LC_ALL=C"}
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	return string(output), nil
}

// parseList returns the paths in what the loader of glibc or of musl prints:
//
//	linux-vdso.so.1 (0x00007fff…)
//	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fff…)
//	/lib64/ld-linux-x86-64.so.2 (0x00007fff…)
func parseList(output string) ([]string, error) {
	var paths []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if strings.HasSuffix(line, "=> not found") {
			return nil, errors.New(line)
		}
		if _, target, found := strings.Cut(line, " => "); found {
			line = target
		}
		if end := strings.LastIndex(line, " (0x"); end >= 0 && strings.HasPrefix(line, "/") {
			paths = append(paths, filepath.Clean(line[:end]))
		}
	}
	return paths, nil
}
