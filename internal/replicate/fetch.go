package replicate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// Fetched is the outcome of [Engine.Fetch].
type Fetched struct {
	// Batch is the staged batch, "" if there is nothing to apply.
	Batch string `json:"batch,omitempty"`

	Staged int   `json:"staged,omitempty"` // objects in the batch
	Equal  int   `json:"equal,omitempty"`  // objects that the replica holds already
	Files  int   `json:"files,omitempty"`  // files downloaded
	Bytes  int64 `json:"bytes,omitempty"`  // of those files

	// Gone are objects that the primary no longer has, as a complete list of
	// their kind says.
	Gone []object.Ref `json:"gone,omitempty"`

	// Failed are objects that could not be read, or not compared.
	Failed []Failure `json:"failed,omitempty"`
}

// Fetch reads the objects of changes from the primary, compares them with the
// replica's, and stages those that differ, together with the cookbook files
// that the replica lacks. It writes nothing to the replica but an empty sandbox,
// which is how a Chef server is asked for the files it lacks.
//
// A change with [object.ActionCreate] is taken to be absent on the replica and
// not compared; Apply finds out if that is wrong. Repeating Fetch repeats the
// reads, but not the downloads of files that are staged already. A crash leaves
// a batch that nobody applies; [staging.Store.Purge] removes it.
func (e *Engine) Fetch(ctx context.Context, changes []object.Change, progress Progress) (Fetched, error) {
	f := &fetch{e: e, out: Fetched{Batch: staging.NewBatchID()}, progress: progress}
	var err error
	if f.batch, err = e.Staging.NewBatch(ctx, f.out.Batch); err != nil {
		return Fetched{}, err
	}
	defer f.batch.Abandon()

	if err := e.each(ctx, len(changes), func(ctx context.Context, i int) error { return f.one(ctx, changes[i]) }); err != nil {
		return Fetched{}, err
	}
	if err := f.files(ctx); err != nil {
		return Fetched{}, err
	}
	if err := f.gone(ctx); err != nil {
		return Fetched{}, err
	}
	f.out.Failed = f.failed.list
	slices.SortFunc(f.out.Failed, func(a, b Failure) int { return a.Ref.Compare(b.Ref) })
	if f.out.Staged == 0 {
		f.out.Batch = ""
		return f.out, nil
	}
	return f.out, f.batch.Close()
}

// fetch is the state of one Fetch.
type fetch struct {
	e        *Engine
	batch    *staging.BatchWriter
	progress Progress
	failed   failures

	mu      sync.Mutex
	out     Fetched
	absent  []object.Ref // 404 on the primary; proves nothing yet
	withSum []pending    // cookbooks, which wait for the word on their files
}

// pending is a cookbook version that was read and not yet staged.
type pending struct {
	src   kinds.Object
	item  staging.Item
	equal bool // the replica's manifest is equal; its files may still be missing
}

// one reads one object from both sides.
func (f *fetch) one(ctx context.Context, c object.Change) error {
	defer f.progress(c.Ref)
	h := handler(c.Ref)
	src, err := h.Get(ctx, f.e.Primary, c.Ref)
	if chef.IsNotFound(err) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.absent = append(f.absent, c.Ref)
		return nil
	}
	if err != nil {
		return f.failed.add(ctx, f.e.Primary, c.Ref, onSide("primary", err))
	}
	p := pending{src: src, item: staging.Item{
		Ref: c.Ref, Raw: src.Raw, Digest: src.Digest, Frozen: src.Frozen, Held: staging.HeldNothing,
	}}
	if c.Action != object.ActionCreate {
		held, err := h.Get(ctx, f.e.Replica, c.Ref)
		switch {
		case chef.IsNotFound(err):
		case err != nil:
			return f.failed.add(ctx, f.e.Replica, c.Ref, onSide("replica", err))
		default:
			p.item.Held, p.item.HeldFrozen = staging.HeldOther, held.Frozen
			p.equal = held.Digest == src.Digest
		}
	}
	if len(src.Files) > 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.withSum = append(f.withSum, p)
		return nil
	}
	return f.stage(p)
}

// stage adds an object to the batch unless the replica's is equal.
func (f *fetch) stage(p pending) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.equal {
		f.out.Equal++
		return nil
	}
	f.out.Staged++
	return f.batch.Add(p.item)
}

// files asks the replica which files of the batch's cookbooks it lacks, stages
// these, and then the cookbooks. A cookbook whose manifest is equal but whose
// files the replica lacks is half a cookbook, left by a create that failed; it
// is written again.
func (f *fetch) files(ctx context.Context) error {
	if len(f.withSum) == 0 {
		return nil
	}
	sb, err := f.sandbox(ctx, func(string) bool { return true })
	if err != nil {
		return err
	}
	lacking := sb.Uploads
	missed, err := f.download(ctx, lacking)
	if err != nil {
		return err
	}
	if len(missed) > 0 { // a sandbox is committed with all of its files, or not at all
		if sb, err = f.sandbox(ctx, func(sum string) bool { return !missed[sum] }); err != nil {
			return err
		}
	}
	for _, p := range f.withSum {
		if f.failed.has(p.item.Ref) {
			continue
		}
		for _, file := range p.src.Files {
			if _, lacks := lacking[file.Checksum]; lacks && p.equal {
				p.equal, p.item.Held = false, staging.HeldHalf
			}
		}
		if err := f.stage(p); err != nil {
			return err
		}
	}
	return f.keepSandbox(ctx, sb)
}

// sandbox opens a sandbox on the replica for those files of the batch that are
// wanted.
func (f *fetch) sandbox(ctx context.Context, wanted func(sum string) bool) (*chef.Sandbox, error) {
	var sums []string
	for _, p := range f.withSum {
		for _, file := range p.src.Files {
			if wanted(file.Checksum) {
				sums = append(sums, file.Checksum)
			}
		}
	}
	if len(sums) == 0 {
		return &chef.Sandbox{}, nil
	}
	slices.Sort(sums)
	sb, err := f.e.Replica.CreateSandbox(ctx, slices.Compact(sums))
	if err != nil {
		return nil, onSide("replica", err)
	}
	return sb, nil
}

// keepSandbox leaves the sandbox to Apply, or closes it if there is nothing to
// upload: nobody else would.
func (f *fetch) keepSandbox(ctx context.Context, sb *chef.Sandbox) error {
	if sb.ID == "" {
		return nil
	}
	if len(sb.Uploads) == 0 {
		if err := f.e.Replica.CommitSandbox(ctx, sb.ID); err != nil && !chef.IsNotFound(err) {
			return onSide("replica", err)
		}
		return nil
	}
	return f.e.Staging.PutSandbox(ctx, f.out.Batch, staging.Sandbox{
		ID: sb.ID, Uploads: sb.Uploads, Opened: time.Now(),
	})
}

// want is a file to be downloaded.
type want struct {
	sum    string
	url    string
	owners []object.Ref // the cookbooks that need it
}

// wants returns the files that the replica lacks, each once.
func (f *fetch) wants(lacking map[string]string) []want {
	var out []want
	at := map[string]int{}
	for _, p := range f.withSum {
		for _, file := range p.src.Files {
			if _, lacks := lacking[file.Checksum]; !lacks {
				continue
			}
			i, seen := at[file.Checksum]
			if !seen {
				i = len(out)
				at[file.Checksum] = i
				out = append(out, want{sum: file.Checksum, url: file.URL})
			}
			out[i].owners = append(out[i].owners, p.item.Ref)
		}
	}
	return out
}

// download brings the lacking files into staging and returns those that could
// not be had; the cookbooks that need them have failed.
func (f *fetch) download(ctx context.Context, lacking map[string]string) (missed map[string]bool, err error) {
	wants := f.wants(lacking)
	missed = map[string]bool{}
	err = f.e.each(ctx, len(wants), func(ctx context.Context, i int) error {
		w := wants[i]
		n, err := f.e.stageFile(ctx, w.owners[0], w.sum, w.url)
		for _, ref := range w.owners {
			if err := f.failed.add(ctx, f.e.Primary, ref, onSide("primary", err)); err != nil {
				return err
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if err != nil {
			missed[w.sum] = true
			return nil
		}
		f.out.Files++
		f.out.Bytes += n
		f.progress(w.owners[0])
		return nil
	})
	return missed, err
}

// stageFile downloads one file unless it is staged. Its URL expires: then the
// manifest is read again, once, for a fresh one.
func (e *Engine) stageFile(ctx context.Context, owner object.Ref, sum, url string) (int64, error) {
	if size, ok, err := e.Staging.HasFile(ctx, sum); err != nil || ok {
		return size, err
	}
	n, err := e.Staging.PutFile(ctx, sum, e.downloadTo(ctx, url, sum))
	if !errors.Is(err, chef.ErrURLExpired) {
		return n, err
	}
	fresh, err := handler(owner).Get(ctx, e.Primary, owner)
	if err != nil {
		return 0, fmt.Errorf("read %s again for a fresh file URL: %w", owner, err)
	}
	for _, file := range fresh.Files {
		if file.Checksum == sum {
			return e.Staging.PutFile(ctx, sum, e.downloadTo(ctx, file.URL, sum))
		}
	}
	return 0, fmt.Errorf("file %s of %s: the primary replaced it while it was being fetched", sum, owner)
}

func (e *Engine) downloadTo(ctx context.Context, url, sum string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := e.Primary.DownloadFile(ctx, url, sum, w)
		return err
	}
}

// gone settles what a 404 on the primary means: an object that is missing from
// the complete list of its kind is gone; one that is listed is there and could
// not be read.
func (f *fetch) gone(ctx context.Context) error {
	listed := map[object.Kind]map[object.Ref]bool{}
	for _, ref := range f.absent {
		if listed[ref.Kind] != nil {
			continue
		}
		refs, err := handler(ref).List(ctx, f.e.Primary)
		if err != nil {
			return onSide("primary", err)
		}
		set := make(map[object.Ref]bool, len(refs))
		for _, r := range refs {
			set[r] = true
		}
		listed[ref.Kind] = set
	}
	for _, ref := range f.absent {
		if listed[ref.Kind][ref] {
			f.failed.list = append(f.failed.list, Failure{Ref: ref,
				Reason: fmt.Sprintf("the primary lists %s but answers 404 for it", ref)})
			continue
		}
		f.out.Gone = append(f.out.Gone, ref)
	}
	slices.SortFunc(f.out.Gone, object.Ref.Compare)
	return nil
}

// onSide names the server that an error came from; nil stays nil.
func onSide(side string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", side, err)
}
