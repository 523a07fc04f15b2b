// Package trace tells an OpenTelemetry collector of runs: a trace for each, made
// from its journal when it is over. Whoever ends a run has the whole journal, so
// a run that changed its server is one whole trace too.
package trace

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"mishap"
)

// Exporter sends traces. A nil one sends none.
type Exporter struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// FromEnvironment makes an exporter as the environment says (OpenTelemetry
// specification, "OTLP Exporter Configuration"): over HTTP, to
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT. Without one
// of them there is nothing to send to, and the answer is nil.
func FromEnvironment(ctx context.Context, version string, log *slog.Logger) (*Exporter, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		return nil, nil
	}
	out, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("send traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "mishap"), attribute.String("service.version", version)),
		resource.WithFromEnv(), resource.WithHost())
	if err != nil {
		log.Warn("traces say less of where they come from", "error", err)
	}
	// The queue drops what a collector that is away does not take: a run never waits.
	provider := sdk.NewTracerProvider(sdk.WithBatcher(logged{out, log}), sdk.WithResource(about), sdk.WithIDGenerator(ids{}), sdk.WithSampler(sdk.AlwaysSample()))
	return &Exporter{provider: provider, tracer: provider.Tracer("mishap")}, nil
}

// Close sends what waits, as long as the context allows.
func (e *Exporter) Close(ctx context.Context) error {
	if e == nil {
		return nil
	}
	return e.provider.Shutdown(ctx)
}

// logged says in the log what could not be sent.
type logged struct {
	sdk.SpanExporter
	log *slog.Logger
}

// ExportSpans sends spans.
func (l logged) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := l.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		l.log.Warn("send traces", "spans", len(spans), "error", err)
	}
	return nil
}

// Send makes the trace of a run out of its journal.
func (e *Exporter) Send(ctx context.Context, entries []mishap.Entry) error {
	if e == nil {
		return nil
	}
	run, err := mishap.Replay(entries)
	if err != nil {
		return fmt.Errorf("trace run: %w", err)
	}
	last := entries[len(entries)-1].At
	ctx, root := e.tracer.Start(context.WithValue(ctx, runKey{}, run.ID), "run "+run.Plan.Experiment.Name, trace.WithNewRoot(), trace.WithTimestamp(run.PlannedAt), trace.WithAttributes(about(run)...))
	e.states(ctx, entries, last)
	for _, in := range run.Injections {
		e.injection(ctx, in, last)
	}
	verdict, reason := mishap.Judge(run)
	root.SetAttributes(attribute.String("mishap.state", string(run.State)), attribute.String("mishap.verdict", string(verdict)), attribute.String("mishap.cause", string(run.Cause)))
	if verdict == mishap.Deviated || run.State == mishap.Stranded || run.Internal {
		root.SetStatus(codes.Error, reason)
	}
	root.End(trace.WithTimestamp(last))
	return nil
}

func about(run *mishap.Run) []attribute.KeyValue {
	e := run.Plan.Experiment
	return []attribute.KeyValue{
		attribute.String("mishap.run", run.ID), attribute.String("mishap.experiment", e.Name), attribute.String("mishap.claim", e.Claim),
		attribute.String("mishap.owner", e.Owner), attribute.String("mishap.group", e.Group), attribute.String("mishap.trigger", string(run.Trigger.Kind)),
		attribute.String("vcs.ref.head.revision", e.Source.Commit), attribute.String("code.file.path", e.Source.Path),
	}
}

// states makes a span of each state that the run was in, with what was observed
// and noted in it as events.
func (e *Exporter) states(ctx context.Context, entries []mishap.Entry, last time.Time) {
	_, span := e.tracer.Start(ctx, string(mishap.Planned), trace.WithTimestamp(entries[0].At))
	for _, entry := range entries[1:] {
		if entry.State == nil {
			event(span, entry)
			continue
		}
		span.End(trace.WithTimestamp(entry.At))
		if entry.State.To.Ended() {
			return
		}
		_, span = e.tracer.Start(ctx, string(entry.State.To), trace.WithTimestamp(entry.At),
			trace.WithAttributes(attribute.String("mishap.cause", string(entry.State.Cause)), attribute.String("mishap.reason", entry.State.Reason)))
	}
	span.End(trace.WithTimestamp(last))
}

// event adds what somebody who looks at a run asks for first: not each
// measurement that was as expected.
func event(span trace.Span, entry mishap.Entry) {
	at := trace.WithTimestamp(entry.At)
	switch {
	case entry.Observation != nil && entry.Observation.Result != mishap.Met:
		o := entry.Observation
		span.AddEvent("probe "+string(o.Result), at, trace.WithAttributes(attribute.String("mishap.probe", o.Probe), attribute.String("mishap.value", o.Value), attribute.String("mishap.phase", string(o.Phase))))
	case entry.Check != nil && entry.Check.Answer != mishap.Yes:
		span.AddEvent("safeguard "+string(entry.Check.Answer), at, trace.WithAttributes(attribute.String("mishap.safeguard", entry.Check.Safeguard), attribute.String("mishap.reason", entry.Check.Reason)))
	case entry.Disturbance != nil:
		span.AddEvent("disturbed: "+entry.Disturbance.What+" "+entry.Disturbance.By, at)
	case entry.Recovered != nil:
		span.AddEvent("recovered", at, trace.WithAttributes(attribute.Bool("mishap.in_time", entry.Recovered.In)))
	case entry.Note != nil:
		span.AddEvent(entry.Note.Text, at)
	}
}

// injection makes a span of the time that a fault was in.
func (e *Exporter) injection(ctx context.Context, in *mishap.RunInjection, last time.Time) {
	if in.InjectedAt.IsZero() {
		return
	}
	end := in.SettledAt
	if end.IsZero() {
		end = last
	}
	_, span := e.tracer.Start(ctx, "fault "+in.Fault, trace.WithTimestamp(in.InjectedAt), trace.WithAttributes(
		attribute.String("mishap.injection", in.ID), attribute.String("mishap.injector", in.Injector), attribute.String("mishap.target", in.Target.ID),
		attribute.String("mishap.injection_state", string(in.State)), attribute.String("mishap.detail", in.Detail)))
	if in.State == mishap.InjectionStranded {
		span.SetStatus(codes.Error, in.Detail)
	}
	span.End(trace.WithTimestamp(end))
}

type runKey struct{}

// ids makes the trace's id out of the run's, so that a report leads to the trace
// and sending it twice makes it once.
type ids struct{}

// NewIDs answers the ids of a root span.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	run, _ := ctx.Value(runKey{}).(string)
	id := ID(run)
	return id, trace.SpanID(id[:8])
}

// NewSpanID answers the id of another span of the trace.
func (ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	_, _ = rand.Read(id[:])
	return id
}

// ID is the id of a run's trace.
func ID(run string) (id trace.TraceID) {
	sum := sha256.Sum256([]byte("mishap run " + run))
	copy(id[:], sum[:])
	return id
}
