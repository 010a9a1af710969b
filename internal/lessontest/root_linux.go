package lessontest

import (
	"testing"

	"gonsrun/internal/rootfs"
)

// DefaultRoot returns the folder of the root file system that the programs use
// without -rootfs, made now if it has to be.
func DefaultRoot(t testing.TB) string {
	t.Helper()
	root, _, err := rootfs.Prepare("")
	if err != nil {
		t.Fatalf("the default root file system cannot be made: %v", err)
	}
	return root
}
