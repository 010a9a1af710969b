package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/enclosure"
	"gonsrun/internal/rootfs"
)

// insideVariable tells the first process of the enclosure what to check.
const insideVariable = "GONSRUN_CHECK"

// ErrNotRoot is the error of Program for an ordinary user.
var ErrNotRoot = errors.New("nothing was checked: it needs root's rights")

// task is what is checked.
type task struct {
	Lesson  int
	Program string
}

// Main is the first call of main, or of TestMain, in a program that calls
// Program.
func Main() {
	enclosure.Enter()
	description := os.Getenv(insideVariable)
	if description == "" {
		return
	}
	os.Unsetenv(insideVariable)
	var t task
	err := json.Unmarshal([]byte(description), &t)
	var report Report
	if err == nil {
		report, err = inside(context.Background(), t)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Program runs the program at the path program a few times, in an enclosure, and
// reports which promises of the lessons up to number lesson it keeps.
func Program(ctx context.Context, lesson int, program string) (Report, error) {
	began := time.Now()
	if os.Geteuid() != 0 {
		return Report{}, ErrNotRoot
	}
	program, err := filepath.Abs(program)
	if err != nil {
		return Report{}, err
	}
	if err := unix.Access(program, unix.X_OK); err != nil {
		return Report{}, fmt.Errorf("%s cannot be run: %w", program, err)
	}
	enclosure.Sweep()
	dir, lock, err := enclosure.Scratch()
	if err != nil {
		return Report{}, err
	}
	defer runtime.KeepAlive(lock)
	defer os.RemoveAll(dir)
	plan, err := enclosure.New(dir, true)
	if err != nil {
		return Report{}, err
	}
	plan.Keep, plan.Beside = append(plan.Keep, program), true
	description, err := json.Marshal(task{lesson, program})
	if err != nil {
		return Report{}, err
	}
	command := enclosure.Command()
	command.Env = append(command.Env, insideVariable+"="+string(description))
	var answer, complaint bytes.Buffer
	command.Stdout, command.Stderr = &answer, &complaint
	command.WaitDelay = time.Second
	limit := longest * pace()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the check was ended after %v", limit))
	defer cancel()
	if err := plan.Run(ctx, command); err != nil {
		if text := strings.TrimSpace(complaint.String()); text != "" {
			return Report{}, errors.New(text)
		}
		if command.ProcessState != nil && ctx.Err() == nil {
			return Report{}, fmt.Errorf("the check was ended (%w): has the program used up all memory, or sent a signal to it?", err)
		}
		return Report{}, err
	}
	var report Report
	if err := json.Unmarshal(answer.Bytes(), &report); err != nil {
		return Report{}, fmt.Errorf("the check has no answer: %w", err)
	}
	report.Took = time.Since(began)
	return report, nil
}

// inside is the check, in the enclosure.
func inside(ctx context.Context, t task) (Report, error) {
	const script = `echo ready; read x; echo "got $x"; echo oops >&2; exit 7`
	if t.Lesson >= 4 {
		rootfs.Prepare("") // most programs want it, and under the tracer it takes longer
	}
	slowDown()
	before := allGroups()
	r, err := record(ctx, t.Program, "run", "/bin/sh", "-c", script)
	if err != nil {
		return Report{}, err
	}
	report := Report{Lesson: t.Lesson, Promises: judge(r, t.Lesson), Suggested: r.suggested()}
	if report.Keeps() {
		quiet = strings.Contains(r.stderr, "The narrator cannot watch") && knowsQuiet(t.Program)
	}
	if report.Keeps() && t.Lesson >= 6 && len(r.look.limits) > 0 {
		cause := afterKill(t.Program, before)
		report.Promises = append(report.Promises, Verdict{6, cause == "", afterKillText, cause})
	}
	if report.Keeps() {
		report.Manners = manners(t.Program, t.Lesson, r)
	} else {
		report.Output = r.printed()
	}
	return report, nil
}
