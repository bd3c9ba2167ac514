package ctl

import (
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/chef-sync/chef-sync/internal/object"
)

// progress shows on a terminal how many of total objects were read, and nothing
// elsewhere. Call read for each of them, from any goroutine, and done at the end,
// which clears the line.
func (k *call) progress(total int) (read func(object.Ref), done func()) {
	if !k.app.Terminal.Err || total == 0 {
		return func(object.Ref) {}, func() {}
	}
	p := mpb.New(mpb.WithOutput(k.app.Stderr), mpb.WithWidth(40), mpb.WithAutoRefresh())
	bar := p.AddBar(int64(total), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("comparing "), decor.CountersNoUnit("%d of %d")))
	return func(object.Ref) { bar.Increment() }, func() {
		bar.Abort(true)
		p.Wait()
	}
}
