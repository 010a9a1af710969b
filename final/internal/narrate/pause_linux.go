package narrate

import (
	"bufio"
	"os"
)

// pauses is the terminal that -pause waits on: the command's stdin is left alone.
var pauses *os.File

func openPause() {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		config.Pause = false
		Note("-pause waits for Enter on the terminal, and there is none here: going on without it.")
		return
	}
	pauses = tty
}

const prompt = "press Enter "

// promptAgain says once more what we wait for, after Ctrl-Z and fg. It stands
// for the container's side too, which the terminal does not stop.
func promptAgain() {
	if config.Pause && !config.Quiet {
		pauses.WriteString(prompt)
	}
}

// pause waits for Enter before a call that has been announced.
func pause() {
	if !config.Pause || config.Quiet {
		return
	}
	pauses.WriteString(prompt)
	entered := make(chan struct{})
	go func() {
		bufio.NewReader(pauses).ReadString('\n')
		close(entered)
	}()
	select {
	case <-entered:
		pauses.WriteString("\x1b[A\x1b[2K") // Enter was echoed: up again, and the line is empty
	case <-host.interrupted:
		pauses.WriteString("\r\x1b[2K")
		stopIfInterrupted()
	}
}
