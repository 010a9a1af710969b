package lessontest

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// tracedCalls are the calls that strace records. Not every processor has all.
const tracedCalls = "?clone,?clone3,?fork,?vfork,unshare,setns,sethostname,chroot,chdir,pivot_root,mount,umount2," +
	"?mkdir,mkdirat,write,execve,?execveat,waitid,prctl,capset,setresuid,setresgid,setgroups,seccomp,?mknod,mknodat,?symlink,symlinkat,sendto"

// UnderStrace returns command under strace, whose record goes to the file trace.
func UnderStrace(t testing.TB, command *exec.Cmd, trace string) *exec.Cmd {
	t.Helper()
	strace := NeedTool(t, "strace")
	traced := exec.Command(strace, append([]string{"-f", "-y", "-s", "8192", "-e", "trace=" + tracedCalls, "-o", trace}, command.Args...)...)
	traced.Dir, traced.Env, traced.SysProcAttr = command.Dir, command.Env, command.SysProcAttr
	return traced
}

// recordFields are the fields of a line of -json.
var recordFields = []string{"lesson", "side", "pid", "call", "args", "ret", "errno", "why", "man", "file", "line"}

// Narrated reads what -json wrote to stderr. Every line must be empty (a line of
// the command's that was not ended, ends there) or one object with exactly the
// fields that it should have.
func (r *Result) Narrated() (all []Narrated) {
	r.t.Helper()
	for _, line := range strings.Split(strings.TrimSuffix(r.Stderr, "\n"), "\n") {
		if line == "" {
			continue
		}
		n, err := readRecord(line)
		if err != nil {
			r.fail("each line on stderr is a JSON object with the fields it should have\n            line %s\n            %v", line, err)
		}
		all = append(all, n)
	}
	return all
}

// readRecord reads a line of -json.
func readRecord(line string) (n Narrated, err error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		return n, err
	}
	if err := json.Unmarshal([]byte(line), &n); err != nil {
		return n, err
	}
	for _, field := range recordFields {
		if _, ok := object[field]; !ok {
			return n, fmt.Errorf("it has no field %q", field)
		}
	}
	if n.Host != 0 { // what is no lesson has one more
		delete(object, "hostpid")
	}
	if len(object) != len(recordFields) {
		return n, fmt.Errorf("it has %d fields, not %d", len(object), len(recordFields))
	}
	return n, nil
}

// SaysExactly expects a text on stderr, in one line, blank for blank.
func (r *Result) SaysExactly(text string) *Result {
	r.t.Helper()
	if !strings.Contains(r.Stderr, text) {
		r.fail("stderr has, in one line, %s", text)
	}
	return r
}
