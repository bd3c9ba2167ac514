package connect

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// forgetful is a Temporal that fails every other signal after it got it.
type forgetful struct {
	workflowservice.UnimplementedWorkflowServiceServer

	got     []*common.Payloads
	failure *failure.Failure // of an activity
}

func (f *forgetful) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (f *forgetful) SignalWorkflowExecution(_ context.Context, in *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	f.got = append(f.got, in.GetInput())
	if len(f.got)%2 == 1 {
		return nil, status.Error(codes.Unavailable, "try again")
	}
	return &workflowservice.SignalWorkflowExecutionResponse{}, nil
}

func (f *forgetful) RespondActivityTaskFailed(_ context.Context, in *workflowservice.RespondActivityTaskFailedRequest) (*workflowservice.RespondActivityTaskFailedResponse, error) {
	f.failure = in.GetFailure()
	return &workflowservice.RespondActivityTaskFailedResponse{}, nil
}

func (f *forgetful) DescribeWorkflowExecution(context.Context, *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: []*workflow.PendingActivityInfo{{LastFailure: f.failure}}}, nil
}

// A request that the SDK sends twice is encrypted once; one without input is sent as
// it is. The message of a failure is encrypted too, and read again.
func TestCodecOnTheWire(t *testing.T) {
	f, s := &forgetful{}, grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(s, f)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	file := filepath.Join(t.TempDir(), "codec.keys")
	if err := os.WriteFile(file, []byte(keyLine("k1", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := coded(client.Options{HostPort: l.Addr().String(), Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))}, file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.DialContext(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, input := range []any{"planted", nil} {
		if err := c.SignalWorkflow(t.Context(), "id", "", "signal", input); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.got) != 4 {
		t.Fatalf("%d signals came, want 4", len(f.got))
	}
	for i, want := range []string{"planted", "planted", "", ""} {
		plain, err := codecOf(t, keyLine("k1", 1)).Decode(f.got[i].GetPayloads())
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := converter.GetDefaultDataConverter().FromPayloads(&common.Payloads{Payloads: plain}, &got); err != nil || got != want {
			t.Errorf("signal %d: %q, %v; want %q", i, got, err, want)
		}
		if p := f.got[i].GetPayloads(); len(p) > 0 && string(p[0].GetMetadata()[converter.MetadataEncoding]) != sealedEncoding {
			t.Errorf("signal %d is not encrypted: %v", i, p)
		}
	}
	_, err = c.WorkflowService().RespondActivityTaskFailed(t.Context(), &workflowservice.RespondActivityTaskFailedRequest{
		Failure: &failure.Failure{Message: "planted", Cause: &failure.Failure{Message: "planted below"}},
	})
	if err != nil || f.failure == nil || strings.Contains(f.failure.String(), "planted") {
		t.Errorf("failure as Temporal gets it: %v, %v; want it encrypted", f.failure, err)
	}
	d, err := c.DescribeWorkflowExecution(t.Context(), "id", "")
	if err != nil {
		t.Fatal(err)
	}
	got := d.GetPendingActivities()[0].GetLastFailure()
	if got.GetMessage() != "planted" || got.GetCause().GetMessage() != "planted below" {
		t.Errorf("failure as it is read: %v", got)
	}
}
