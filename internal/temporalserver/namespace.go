//go:build !noembed

package temporalserver

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// readyTimeout is how long a server may take until it answers. On a busy
	// machine of two cores it has been seen to take four seconds.
	readyTimeout = time.Minute
	pollInterval = 50 * time.Millisecond

	// namespaceCacheRefresh is the server's system.namespaceCacheRefreshInterval,
	// with something on top for the refresh itself.
	namespaceCacheRefresh = 2500 * time.Millisecond
)

// prepareNamespace waits until the server at hostPort answers for o.Namespace and
// brings the namespace up to date with o.
func prepareNamespace(ctx context.Context, hostPort string, o Options) error {
	conn, err := grpc.NewClient(hostPort, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	workflows := workflowservice.NewWorkflowServiceClient(conn)

	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var found *workflowservice.DescribeNamespaceResponse
	err = poll(ctx, func() error {
		found, err = workflows.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: o.Namespace})
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for namespace %s: %w", o.Namespace, err)
	}
	if err := updateRetention(ctx, workflows, found, o); err != nil {
		return fmt.Errorf("set retention of namespace %s to %s: %w", o.Namespace, o.Retention, err)
	}
	if err := addSearchAttributes(ctx, operatorservice.NewOperatorServiceClient(conn), o); err != nil {
		return fmt.Errorf("search attributes of namespace %s: %w", o.Namespace, err)
	}
	return nil
}

// updateRetention changes an existing namespace to o.Retention.
func updateRetention(
	ctx context.Context, workflows workflowservice.WorkflowServiceClient,
	found *workflowservice.DescribeNamespaceResponse, o Options,
) error {
	if found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() == o.Retention {
		return nil
	}
	_, err := workflows.UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: o.Namespace,
		Config:    &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(o.Retention)},
	})
	return err
}

// addSearchAttributes adds those of o.SearchAttributes that the namespace lacks,
// and returns when workflows can use them.
func addSearchAttributes(ctx context.Context, operator operatorservice.OperatorServiceClient, o Options) error {
	existing, err := operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: o.Namespace})
	if err != nil {
		return err
	}
	missing := map[string]enums.IndexedValueType{}
	for name, want := range o.SearchAttributes {
		got, ok := existing.GetCustomAttributes()[name]
		if ok && got != want {
			return fmt.Errorf("%s is of type %s in the database, and should be %s", name, got, want)
		}
		if !ok {
			missing[name] = want
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := operator.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: o.Namespace, SearchAttributes: missing,
	}); err != nil {
		return err
	}
	// Each service reads namespaces anew at intervals, and no API tells whether all
	// have; until then, a workflow that uses a new attribute fails. This wait
	// happens once per database and release.
	return sleep(ctx, namespaceCacheRefresh)
}

// poll calls try until it succeeds. When ctx ends first it returns try's last error.
func poll(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		if sleep(ctx, pollInterval) != nil {
			return err
		}
	}
}

// sleep waits for d, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
