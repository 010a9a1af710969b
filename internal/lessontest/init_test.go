//go:build linux

package lessontest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each run starts a lesson twice, as the host's side and as the container's, and final
// even more often. So our packages do little before main: tables are slices, and what
// must be computed waits until somebody asks for it.
func TestLittleIsMadeBeforeMain(t *testing.T) {
	const mostAllocs, mostBytes = 40, 8 << 10 // a thread of Go's takes 5 KiB of them
	source := NeedSource(t)
	watchSources()
	for _, name := range []string{"step06-cgroups", "final"} {
		program := filepath.Join(t.TempDir(), name)
		if err := Build(filepath.Join(source, name), program); err != nil {
			t.Fatal(err)
		}
		command := exec.Command(program, "-h")
		var trace strings.Builder
		command.Stderr = &trace
		command.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		if err := command.Run(); err != nil {
			t.Fatalf("%s: %v", shellLine(command), err)
		}
		ours := 0
		for line := range strings.Lines(trace.String()) {
			var (
				pkg           string
				at, took      float64
				bytes, allocs int
			)
			if n, _ := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &pkg, &at, &took, &bytes, &allocs); n != 5 {
				continue
			}
			if pkg != "main" && !strings.HasPrefix(pkg, "gonsrun/") {
				continue
			}
			ours++
			if allocs > mostAllocs || bytes > mostBytes {
				t.Errorf("%s, package %s: %d allocations of %d bytes before main, expected at most %d of %d bytes\n%s",
					name, pkg, allocs, bytes, mostAllocs, mostBytes, line)
			}
		}
		if ours == 0 {
			t.Errorf("GODEBUG=inittrace=1 %s says nothing of our packages\n%s", shellLine(command), trace.String())
		}
	}
}

// Where there is a C compiler, packages like net and os/user bring in the C library:
// its loader takes more than half a millisecond at each start.
func TestNoCLibrary(t *testing.T) {
	command, err := GoTool("list", "-deps", "./step01-exec", "./step02-uts", "./step03-pid", "./step04-chroot", "./step05-proc", "./step06-cgroups", "./final")
	if err != nil {
		t.Fatal(err)
	}
	command.Dir = NeedSource(t)
	watchSources()
	command.Env = append(command.Env, "CGO_ENABLED=1")
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v", shellLine(command), err)
	}
	packages := strings.Fields(string(output))
	if !slices.Contains(packages, "gonsrun/internal/trace") {
		t.Fatalf("%s does not list our packages:\n%s", shellLine(command), output)
	}
	if slices.Contains(packages, "runtime/cgo") {
		t.Errorf("%s lists runtime/cgo: which package needs it says\n  CGO_ENABLED=1 go list -deps -f '{{.ImportPath}}: {{.CgoFiles}}' ./step05-proc | grep -v '\\[\\]'", shellLine(command))
	}
}
