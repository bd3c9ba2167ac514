package connect

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"regexp"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/chef-sync/chef-sync/internal/config"
)

const (
	// sealedEncoding marks a payload of the codec. It is no name that others use, for
	// a namespace may hold workflows of other programs.
	sealedEncoding = "binary/chef-sync-aes-256-gcm"

	// sealedKeyID is the metadata that names the key of a payload.
	sealedKeyID = "chef-sync-key-id"

	// codecKeyBytes is the length of a key of AES-256.
	codecKeyBytes = 32
)

// keyID is what a key of the codec may be called: it is seen in each payload.
var keyID = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// codec encrypts what workflows, activities, queries and signals tell each other,
// with AES-256-GCM: the whole payload, its metadata included. One without keys
// encrypts nothing, and refuses what is encrypted. What is not encrypted is read as it
// is: histories from before the codec was turned on go on. It is safe for concurrent
// use.
type codec struct {
	file  string // where the keys are from; "" without
	first string // ID of the key that encrypts; "" without
	keys  map[string]cipher.AEAD
}

// Codec returns the codec of what a configuration keeps in Temporal; its Encode changes
// nothing without temporal['codec_key_file']. The file is read once.
func Codec(cfg *config.Config) (converter.PayloadCodec, error) {
	c, err := readCodec(cfg.Temporal.CodecKeyFile)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// readCodec reads the keys of the codec from a file that is its owner's alone; "" is a
// codec without. A line is ID:BASE64 of 32 bytes; empty lines and those that begin
// with # do not count. The first key encrypts, all decrypt. No error repeats a key.
func readCodec(file string) (*codec, error) {
	c := &codec{file: file, keys: map[string]cipher.AEAD{}}
	if file == "" {
		return c, nil
	}
	text, err := readSecret(file)
	if err != nil {
		return nil, fmt.Errorf("temporal['codec_key_file']: %w", err)
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		if problem := c.add(line); problem != "" {
			return nil, fmt.Errorf("temporal['codec_key_file']: %s:%d: %s", file, n, problem)
		}
	}
	if c.first == "" {
		return nil, fmt.Errorf("temporal['codec_key_file']: %s holds no key: echo \"key1:$(openssl rand -base64 32)\" makes a line for it", file)
	}
	return c, nil
}

// add adds the key of a line, and says what is wrong with it; "" for nothing.
func (c *codec) add(line []byte) string {
	id, encoded, found := bytes.Cut(line, []byte(":"))
	if !found || !keyID.Match(id) {
		return "a line is ID:KEY; an ID has letters, digits, '_', '.' and '-', 64 at most"
	}
	if c.keys[string(id)] != nil {
		return "its ID is that of a line before"
	}
	key, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil || len(key) != codecKeyBytes {
		return "the key is not 32 bytes in base64: make one with openssl rand -base64 32"
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "the key is none of AES-256"
	}
	if c.keys[string(id)], err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return "the key is none of AES-256-GCM"
	}
	if c.first == "" {
		c.first = string(id)
	}
	return ""
}

// Encode implements converter.PayloadCodec.
func (c *codec) Encode(plain []*common.Payload) ([]*common.Payload, error) {
	if c.first == "" {
		return plain, nil
	}
	out := make([]*common.Payload, len(plain))
	for i, p := range plain {
		data, err := proto.Marshal(p)
		if err != nil {
			return nil, err
		}
		out[i] = &common.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(sealedEncoding), sealedKeyID: []byte(c.first)},
			Data:     c.keys[c.first].Seal(nil, nil, data, []byte(c.first)),
		}
	}
	return out, nil
}

// Decode implements converter.PayloadCodec. What cannot be decrypted is an error that
// the SDK does not retry at once.
func (c *codec) Decode(sealed []*common.Payload) ([]*common.Payload, error) {
	out := make([]*common.Payload, len(sealed))
	for i, p := range sealed {
		out[i] = p
		if string(p.GetMetadata()[converter.MetadataEncoding]) != sealedEncoding {
			continue
		}
		var err error
		if out[i], err = c.open(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// open decrypts one payload.
func (c *codec) open(p *common.Payload) (*common.Payload, error) {
	id := p.GetMetadata()[sealedKeyID]
	key := c.keys[string(id)]
	switch {
	case c.file == "":
		return nil, status.Errorf(codes.DataLoss, "what Temporal holds is encrypted with the key %.64q: set temporal['codec_key_file'] to the file that has it", id)
	case key == nil:
		return nil, status.Errorf(codes.DataLoss, "what Temporal holds is encrypted with the key %.64q, which is not in %s: add its line there", id, c.file)
	}
	data, err := key.Open(nil, nil, p.GetData(), id)
	if err != nil {
		return nil, status.Errorf(codes.DataLoss, "what Temporal holds is damaged, or encrypted with another key %q than that in %s: compare the file with that of the other hosts", id, c.file)
	}
	out := &common.Payload{}
	if err := proto.Unmarshal(data, out); err != nil {
		return nil, status.Errorf(codes.DataLoss, "what was encrypted with the key %q is no payload: %v", id, err)
	}
	return out, nil
}

// coded has everything that opts sends to Temporal pass the codec, and everything that
// it gets. That is done to whole requests and answers, not by the SDK's data
// converter: histories and heartbeats are read by hand too, and a workflow whose
// input a data converter cannot read fails for good, whereas a worker without the
// right key gets no task, and goes on when it has the key.
func coded(opts client.Options, file string) (client.Options, error) {
	c, err := readCodec(file)
	if err != nil {
		return opts, err
	}
	payloads, err := converter.NewPayloadCodecGRPCClientInterceptor(converter.PayloadCodecGRPCClientInterceptorOptions{Codecs: []converter.PayloadCodec{c}})
	if err != nil {
		return opts, err
	}
	chain := []grpc.UnaryClientInterceptor{payloads}
	if c.first != "" {
		failures, err := converter.NewFailureGRPCClientInterceptor(converter.NewFailureGRPCClientInterceptorOptions{EncodeCommonAttributes: true})
		if err != nil {
			return opts, err
		}
		chain = []grpc.UnaryClientInterceptor{cloned, failures, payloads}
	}
	opts.ConnectionOptions.DialOptions = append(opts.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(chain...))
	return opts, nil
}

// cloned passes a copy of a request on: the SDK sends the request again after a
// failure, which must not encrypt it twice.
func cloned(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if m, ok := req.(proto.Message); ok {
		req = proto.Clone(m)
	}
	return next(ctx, method, req, reply, cc, opts...)
}
