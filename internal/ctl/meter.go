package ctl

import (
	"fmt"
	"strings"
	"time"
)

// meter shows on the error output how far something is: on a terminal a bar that
// is drawn over itself, elsewhere a line when something new begins and now and
// then.
type meter struct {
	k     *call
	drawn bool      // a bar stands on the terminal
	phase string    // as last printed
	at    time.Time // when that was
	said  string    // the last remark
}

const (
	// lineEvery is how often a line is printed where there is no terminal.
	lineEvery = 30 * time.Second

	barWidth = 30
)

// show shows that done of total are done; 0 of 0 is not known yet. more stands
// behind it.
func (m *meter) show(phase string, done, total int, more string) {
	text := phase
	if total > 0 {
		text += fmt.Sprintf(" %d of %d", done, total)
	}
	if more != "" {
		text += ", " + more
	}
	text = cell(text)
	out, now := m.k.print.err, m.k.app.Now()
	switch {
	case m.k.app.Terminal.Err:
		full := 0
		if total > 0 {
			full = min(done*barWidth/total, barWidth)
		}
		fmt.Fprintf(out, "\r\x1b[K[%s%s] %s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), text)
		m.drawn = true
	case phase != m.phase || now.Sub(m.at) >= lineEvery:
		fmt.Fprintln(out, text)
		m.phase, m.at = phase, now
	}
}

// say prints a remark once, not again and again while it stays true.
func (m *meter) say(hint, text string) {
	if text == m.said {
		return
	}
	m.said = text
	if text == "" {
		return
	}
	m.clear()
	fmt.Fprintln(m.k.print.err, clean(text))
	m.k.print.try(m.k.print.err, hint)
}

// clear takes the bar off the terminal.
func (m *meter) clear() {
	if m.drawn {
		fmt.Fprint(m.k.print.err, "\r\x1b[K")
		m.drawn = false
	}
}
