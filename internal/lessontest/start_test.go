//go:build linux

package lessontest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkStart compares, in one run and by turns, whole processes: step05-proc
// without narration, step05-proc with its narration in a file, and the same
// namespaces made by unshare(1). The metrics are medians in milliseconds, and
// the ratios of medians.
//
//	go test -exec sudo -run '^$' -bench Start ./internal/lessontest
func BenchmarkStart(b *testing.B) {
	NeedRoot(b)
	source := NeedSource(b)
	unshare := NeedTool(b, "unshare")
	program := filepath.Join(b.TempDir(), "step05-proc")
	if err := Build(filepath.Join(source, "step05-proc"), program); err != nil {
		b.Fatal(err)
	}
	root := DefaultRoot(b)
	narration, err := os.Create(filepath.Join(b.TempDir(), "narration"))
	if err != nil {
		b.Fatal(err)
	}
	defer narration.Close()

	const quiet, narrated, bare = 0, 1, 2
	start := [...]func() *exec.Cmd{
		quiet: func() *exec.Cmd { return exec.Command(program, "-quiet", "run", "/bin/true") },
		narrated: func() *exec.Cmd {
			command := exec.Command(program, "run", "/bin/true")
			command.Stderr = narration
			return command
		},
		bare: func() *exec.Cmd {
			return exec.Command(unshare, "--uts", "--pid", "--mount", "--fork", "--mount-proc="+root+"/proc", "chroot", root, "/bin/true")
		},
	}
	var times [len(start)][]time.Duration
	for b.Loop() {
		for i := range start {
			command := start[i]()
			before := time.Now()
			if err := command.Run(); err != nil {
				b.Fatalf("%s: %v", shellLine(command), err)
			}
			times[i] = append(times[i], time.Since(before))
		}
	}
	median := func(i int) float64 {
		slices.Sort(times[i])
		return float64(times[i][len(times[i])/2]) / float64(time.Millisecond)
	}
	b.ReportMetric(0, "ns/op") // the sum of three starts says nothing
	b.ReportMetric(median(quiet), "quiet-ms")
	b.ReportMetric(median(narrated), "narrated-ms")
	b.ReportMetric(median(bare), "unshare-ms")
	b.ReportMetric(median(quiet)/median(bare), "quiet/unshare")
	b.ReportMetric(median(narrated)/median(quiet), "narrated/quiet")
}
