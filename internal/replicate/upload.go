package replicate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// sandboxLife is how long upload URLs are trusted. Servers sign them for 900
// seconds, and the upload has to begin before that.
const sandboxLife = 10 * time.Minute

// upload brings to the replica the files of the batch that it lacks, and
// registers them. A file that the replica will not take is noted in spoilt, and
// the others go on.
func (a *apply) upload(ctx context.Context, batch string) error {
	sb, err := a.begin(ctx, batch)
	if err != nil {
		return err
	}
	for try := 1; len(sb.IDs) > 0; try++ {
		if len(sb.Uploads) == 0 {
			return a.e.settle(ctx, sb)
		}
		up := &uploads{}
		if err := a.uploadAll(ctx, sb, up, try < uploadTries); err != nil {
			return err
		}
		if len(up.good) < len(sb.Uploads) { // a sandbox is committed with all of its files, or not at all
			if sb, err = a.e.ask(ctx, up.good); err != nil {
				return err
			}
		}
		err = a.e.commit(ctx, sb)
		switch {
		case errors.Is(err, chef.ErrMissingFiles), chef.IsNotFound(err):
			// The store lost a file, or the server the sandbox.
			up.stale, up.why = append(up.stale, up.good...), err
		case err != nil:
			return err
		}
		if len(up.stale) == 0 {
			return nil
		}
		if try == uploadTries {
			return up.why
		}
		if sb, err = a.e.ask(ctx, up.stale); err != nil {
			return err
		}
	}
	return nil
}

// uploads is how the files of a sandbox fared.
type uploads struct {
	good  []string
	stale []string // to be asked about again
	why   error    // of the last of stale
}

// uploadTries is how often files are uploaded whose URLs have expired or whose
// sandbox cannot be committed.
const uploadTries = 3

// begin returns the sandbox to upload to; an empty one if there is nothing to
// upload. It is the one that Fetch opened, if its URLs are still good and nobody
// can have used them.
func (a *apply) begin(ctx context.Context, batch string) (staging.Sandbox, error) {
	sb, err := a.e.Staging.Sandbox(ctx, batch)
	if err != nil && !errors.Is(err, staging.ErrNotFound) {
		return staging.Sandbox{}, err
	}
	a.unasked = err != nil && !a.opts.Doubt
	age := a.e.clock().Sub(sb.Opened) // negative if the clock was set back
	switch {
	case a.opts.Doubt:
		sums, err := a.needed(ctx, batch)
		if err != nil || len(sums) == 0 {
			return staging.Sandbox{}, err
		}
		if sb, err = a.e.ask(ctx, sums); err != nil {
			return sb, err
		}
	case len(sb.IDs) > 0 && (age < 0 || age > sandboxLife):
		if sb, err = a.e.ask(ctx, slices.Collect(maps.Keys(sb.Uploads))); err != nil {
			return sb, err
		}
	}
	a.lacked = sb.Uploads
	return sb, nil
}

// needed returns the files of all objects that are not done: an earlier attempt
// may have written half a cookbook, or made the server drop a file.
func (a *apply) needed(ctx context.Context, batch string) ([]string, error) {
	var sums []string
	err := a.e.Staging.ReadBatch(ctx, batch, func(it staging.Item) error {
		if !a.opts.Skip[it.Ref] {
			sums = append(sums, it.Files...)
		}
		return nil
	})
	return sums, err
}

// uploadAll uploads files, and sorts them into up and spoilt. again says that those
// whose transfer broke off may be asked about again.
func (a *apply) uploadAll(ctx context.Context, sb staging.Sandbox, up *uploads, again bool) error {
	sums := slices.Sorted(maps.Keys(sb.Uploads))
	return a.e.each(ctx, len(sums), func(ctx context.Context, i int) error {
		sum := sums[i]
		size, err := a.uploadOne(ctx, sum, sb.Uploads[sum])
		stale := errors.Is(err, chef.ErrURLExpired) || again && unanswered(err) && a.e.clock().Sub(sb.Opened) > sandboxLife
		if err != nil && !stale && !ownFault(ctx, a.e.Replica, err) {
			return err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		switch {
		case err == nil:
			up.good = append(up.good, sum)
			a.out.Files++
			a.e.moved(anyKind, didUpload, size)
		case stale:
			up.stale, up.why = append(up.stale, sum), err
		default:
			if a.spoilt == nil {
				a.spoilt = map[string]error{}
			}
			a.spoilt[sum] = err
			if len(up.good) == 0 && len(a.spoilt) >= storeDown && chef.Classify(err) == chef.ClassRetry {
				return err // not the files: the store is down behind a server that answers
			}
		}
		return nil
	})
}

// unanswered reports whether an upload got no answer. A store that refuses an old URL
// may end the connection at once, so that whoever is still sending a large file does
// not get to read why.
func unanswered(err error) bool {
	var api *chef.APIError
	return errors.As(err, &api) && api.Status == 0 && api.Temporary()
}

// storeDown is how many files in a row have to fail before the store is to
// blame.
const storeDown = 16

// uploadOne uploads one file, which nobody else uploads meanwhile, and returns its
// size in bytes.
func (a *apply) uploadOne(ctx context.Context, sum, url string) (int64, error) {
	data, err := a.e.Staging.File(ctx, sum)
	if err != nil {
		return 0, err
	}
	unlock, err := a.e.Uploads.lock(ctx, sum)
	if err != nil {
		return 0, err
	}
	defer unlock()
	return int64(len(data)), onSide("replica", a.e.Replica.UploadFile(ctx, url, sum, int64(len(data)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}))
}

// spoiltBy returns why an object cannot be written: the error of one of its
// files. nil if it can.
func (a *apply) spoiltBy(files []string) error {
	for _, sum := range files {
		if err := a.spoilt[sum]; err != nil {
			return err
		}
	}
	return nil
}
