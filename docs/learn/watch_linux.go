package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// How often the files are looked at, and how long they must have been the same:
// an editor may write them in pieces.
const saving = "Saved. Building, and looking at what it does …"

const (
	lookEvery = 200 * time.Millisecond
	settles   = 40 * time.Millisecond
)

// watch looks at the folder until q is pressed.
func (l *learner) watch(ctx context.Context, t *terminal) (status int, err error) {
	t.start()
	defer t.end()
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH, unix.SIGTSTP)
	defer signal.Stop(changed)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()

	results := make(chan result)
	var cancel context.CancelFunc = func() {}
	looking := false
	begin := func(why string) {
		l.doing = why
		l.showAll(t)
		var own context.Context
		own, cancel = context.WithCancel(ctx)
		looking = true
		go func(lesson int) { results <- l.look(own, lesson) }(l.lesson)
	}
	saved := l.sources()
	again := false // somebody has saved while we looked
	begin("Looking at your program …")
	for {
		select {
		case <-ctx.Done():
			cancel()
			if looking {
				<-results
			}
			return 0, nil
		case r := <-results:
			looking = false
			cancel()
			if again {
				again = false
				begin(saving)
				continue
			}
			l.doing = ""
			if ctx.Err() != nil {
				continue
			}
			l.place(r)
			l.showAll(t)
			l.laidOut = false
		case <-ticker.C:
			now := l.sources()
			if now == saved {
				continue
			}
			for next := ""; ; now = next {
				time.Sleep(settles)
				if next = l.sources(); next == now {
					break
				}
			}
			saved = now
			if looking {
				again = true
				cancel()
				continue
			}
			begin(saving)
		case key := <-t.keys:
			switch key {
			case 'q', 'Q', 4: // Ctrl-D
				cancel()
				if looking {
					<-results
				}
				return 0, nil
			case '\n', '\r':
				if l.lesson > 0 && l.lesson <= lastLesson && l.done == 0 {
					l.hint = l.hint%len(stepOf(l.lesson).hints) + 1
				}
				l.done = 0
				l.showAll(t)
			}
		case sig := <-changed:
			if sig == unix.SIGTSTP {
				t.stop()
			}
			l.showAll(t)
		}
	}
}

// showAll shows the screen, and below it what can be done.
func (l *learner) showAll(t *terminal) {
	keys := "Each time you save, it is looked at. Enter: a hint. q: quit."
	switch {
	case l.doing != "":
		t.show(l, l.doing)
		return
	case l.lesson == 0:
		keys = "Each time you save, it is looked at. q: quit."
	case l.lesson > lastLesson:
		keys = "q: quit."
	case l.done > 0:
		keys = "Go on in the same file: each save is looked at. q: quit."
	case l.hint > 0 && l.hint < len(stepOf(l.lesson).hints):
		keys = "Each save is looked at. Enter: the next hint. q: quit."
	case l.hint > 0:
		keys = "Each save is looked at. Enter: the first hint again. q: quit."
	}
	if l.last.took > 0 {
		keys += fmt.Sprintf(" (%.1f s)", l.last.took.Seconds())
	}
	t.show(l, keys)
}

// isDumb reports whether the terminal cannot clear its screen.
func isDumb() bool { term := os.Getenv("TERM"); return term == "" || strings.HasPrefix(term, "dumb") }
