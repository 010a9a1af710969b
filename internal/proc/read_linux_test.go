package proc

import (
	"os"
	"strconv"
	"testing"
)

func TestStatusField(t *testing.T) {
	if pid := StatusField("self", "Pid"); pid != strconv.Itoa(os.Getpid()) {
		t.Errorf("Pid of self is %q, expected %d", pid, os.Getpid())
	}
	for _, field := range []string{"Pi", "NoSuchField"} {
		if value := StatusField("self", field); value != "" {
			t.Errorf("the field %s is %q, expected nothing", field, value)
		}
	}
}
