package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gonsrun/internal/check"
	"gonsrun/internal/gotool"
)

// learner is a program that somebody is writing, and what we know of it.
type learner struct {
	root, folder, name string
	program            string // where it is built
	laidOut            bool   // the folder is new
	begins             int    // the lesson that it is a copy of then

	lesson int // the exercise that is next; 0 when that is not known
	done   int // the lesson that was just done, 0 for none
	hint   int // how many of its hints are shown
	last   result
	doing  string // while the program is looked at: that it is
}

// result is what came of looking at the program once.
type result struct {
	report  check.Report
	manners []check.Verdict // of the lesson that was just done
	broken  []check.Line    // it does not build, and why; nothing was run
	err     error           // it could not be checked
	took    time.Duration
}

// look builds the program and checks it. lesson is the exercise that the learner is
// at, 0 when that is not known.
func (l *learner) look(ctx context.Context, lesson int) (r result) {
	began := time.Now()
	defer func() { r.took = time.Since(began) }()
	if err := gotool.BuildProgram(l.root, l.folder, l.program); err != nil {
		r.broken = l.doesNotBuild(err)
		return r
	}
	if r.report, r.err = check.Program(ctx, lastLesson, l.program); r.err != nil {
		return r
	}
	if place := r.report.Place(); lesson != 0 && place > lesson && lesson < lastLesson {
		before, err := check.Program(ctx, lesson, l.program) // its manners
		r.manners, r.err = before.Manners, err
	} else if place > lastLesson {
		r.manners = r.report.Manners
	}
	return r
}

// doesNotBuild says why the program cannot be built.
func (l *learner) doesNotBuild(err error) []check.Line {
	var mistakes *gotool.DoesNotBuild
	if errors.As(err, &mistakes) {
		return check.DoesNotCompile(mistakes.Mistakes(l.name))
	}
	text := err.Error()
	if _, err := os.Stat(l.folder); errors.Is(err, os.ErrNotExist) && canLayOut(l.folder) {
		text = fmt.Sprintf("The folder %s is gone. Put your program back; or type q and start this again, which makes a new one.", l.name)
	}
	return []check.Line{{Kind: check.Bad, Text: "✗ " + text}}
}

// place takes over a result: the exercise that is next, and what was just done.
func (l *learner) place(r result) {
	l.last, l.done = r, 0
	if r.err != nil || r.broken != nil {
		return
	}
	place := r.report.Place()
	if l.lesson == 0 {
		l.lesson = min(place, lastLesson+1)
		if place > lastLesson {
			l.done = lastLesson
		}
		return
	}
	if place > l.lesson {
		l.done, l.lesson, l.hint = place-1, place, 0
	}
}

// once checks once, and says where the learner is.
func (l *learner) once(ctx context.Context) (status int, err error) {
	l.place(l.look(ctx, 0))
	if ctx.Err() != nil {
		return ended(), nil
	}
	for _, line := range l.screen(80, 0) {
		fmt.Println(line.Text)
	}
	if l.last.err != nil {
		return 1, l.last.err
	}
	if l.lesson > lastLesson {
		return 0, nil
	}
	return 1, nil
}

// sources is the text of all Go files in the folder: when it changes, somebody has
// saved. Shared folders give no events, and not always another time.
func (l *learner) sources() string {
	names, _ := filepath.Glob(filepath.Join(l.folder, "*.go"))
	var text strings.Builder
	for _, name := range names {
		content, _ := os.ReadFile(name)
		fmt.Fprintf(&text, "%s\x00%s\x00", name, content)
	}
	return text.String()
}
