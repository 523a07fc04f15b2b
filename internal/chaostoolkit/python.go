package chaostoolkit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// function is how one of an extension's functions is said in mishap.
type function func(arguments *part) (made fault, ok bool)

// functions are those of Chaos Toolkit's extensions that have their like: of
// chaostoolkit-toxiproxy 0.2 and chaostoolkit-aws 0.35.
func functions() map[string]function {
	return map[string]function{
		"chaostoxi.toxic.actions.create_latency_toxic":               toxic("proxy-latency", timed{"latency", "delay"}, timed{"jitter", "jitter"}),
		"chaostoxi.toxic.actions.create_bandwith_degradation_toxic":  toxic("proxy-bandwidth", sized{"rate", "rate", "KB"}), //nolint:misspell // its name
		"chaostoxi.toxic.actions.create_slow_connection_close_toxic": toxic("proxy-slow-close", timed{"delay", "delay"}),
		"chaostoxi.toxic.actions.create_limiter_toxic":               toxic("proxy-limit", sized{"bytes_limit", "bytes", "B"}),
		"chaostoxi.proxy.actions.disable_proxy":                      proxied("proxy_name", "proxy-refuse"),
		"chaosaws.ec2.actions.stop_instance":                         instances("ec2-stop", "instance_id"),
		"chaosaws.ec2.actions.stop_instances":                        instances("ec2-stop", "instance_ids"),
		"chaosaws.ec2.actions.restart_instances":                     instances("ec2-reboot", "instance_ids"),
		"chaosaws.ec2.actions.terminate_instance":                    instances("ec2-terminate", "instance_id"),
		"chaosaws.ec2.actions.terminate_instances":                   instances("ec2-terminate", "instance_ids"),
		"chaosaws.asg.actions.suspend_processes":                     suspended,
		"chaosaws.awslambda.actions.put_function_concurrency":        throttled,
	}
}

// undone are functions that undo what mishap reverts by itself.
func undone() []string {
	return []string{
		"chaostoxi.toxic.actions.delete_toxic", "chaostoxi.proxy.actions.enable_proxy", "chaostoxi.proxy.actions.reset",
		"chaosaws.ec2.actions.start_instances", "chaosaws.asg.actions.resume_processes", "chaosaws.awslambda.actions.delete_function_concurrency",
	}
}

// reverted says what mishap does itself in place of a rollback.
func reverted(rollback *part) string {
	provider := rollback.part("provider")
	if name := called(provider); provider.text("type") == "python" && slices.Contains(undone(), name) {
		return "mishap reverts each fault by itself, however the run ends"
	}
	return ""
}

func called(provider *part) string { return provider.text("module") + "." + provider.text("func") }

func pythonAction(provider *part) (made fault, why string) {
	name := called(provider)
	if make, has := functions()[name]; has {
		arguments := provider.part("arguments")
		if made, ok := make(arguments); ok && len(arguments.left()) == 0 {
			return made, ""
		}
		return made, name + " has its like, but not with these arguments: see `mishap catalog`"
	}
	return made, "it calls the Python function " + name + "; " + instead(name)
}

func pythonProbe(provider *part) (why string) {
	name := called(provider)
	return "it calls the Python function " + name + "; " + instead(name)
}

// instead says where to look for the like of an extension's functions.
func instead(name string) string {
	for prefix, look := range map[string]string{
		"chaostoxi.": "see `mishap catalog` for the faults whose names begin with proxy-", "chaosaws.": "see docs/aws.md for what mishap does in AWS",
		"chaosprometheus.": "the probe prometheus asks the same, see `mishap catalog prometheus`", "chaosk8s.": "mishap has nothing for Kubernetes yet",
		"chaoslib.": "it is a part of Chaos Toolkit itself",
	} {
		if strings.HasPrefix(name, prefix) {
			return look
		}
	}
	return "the probe and the injector exec start a program, which may call it"
}

// argument is how an argument is said in `with`.
type argument interface {
	say(arguments *part) (item yaml.MapItem, has, ok bool)
}

// timed is in milliseconds there.
type timed struct{ from, to string }

func (a timed) say(arguments *part) (item yaml.MapItem, has, ok bool) {
	ms, is := arguments.number(a.from)
	return yaml.MapItem{Key: a.to, Value: fmt.Sprintf("%gms", ms)}, is && ms > 0, is || !arguments.has(a.from)
}

// sized is a number of a unit there.
type sized struct{ from, to, unit string }

func (a sized) say(arguments *part) (item yaml.MapItem, has, ok bool) {
	n, is := arguments.number(a.from)
	return yaml.MapItem{Key: a.to, Value: fmt.Sprintf("%g%s", n, a.unit)}, is, is
}

func (p *part) has(key string) bool {
	return slices.ContainsFunc(p.all, func(pair yaml.MapItem) bool { return pair.Key == key })
}

// toxic is a fault of a proxy of the same name.
func toxic(injector string, says ...argument) function {
	of := proxied("for_proxy", injector)
	return func(arguments *part) (made fault, ok bool) {
		arguments.text("toxic_name") // of mishap's faults the run is the name
		made, ok = of(arguments)
		for _, one := range says {
			item, has, fits := one.say(arguments)
			if ok = ok && fits; has {
				made.with = append(made.with, item)
			}
		}
		return made, ok
	}
}

func proxied(key, injector string) function {
	return func(arguments *part) (made fault, ok bool) {
		proxy := arguments.text(key)
		return fault{injector: injector, targets: yaml.MapSlice{{Key: "proxy", Value: proxy}}, open: "needs a proxy of that name in the settings (docs/toxiproxy.md)"}, proxy != ""
	}
}

// texts is the value of a key that is a text, or a list of them.
func (p *part) texts(key string) (all []string) {
	value, _ := p.take(key)
	if one, is := value.(string); is {
		value = []any{one}
	}
	list, _ := value.([]any)
	for _, one := range list {
		if text, is := one.(string); is {
			all = append(all, text)
		}
	}
	if len(all) != len(list) || len(list) == 0 {
		delete(p.taken, key)
		return nil
	}
	return all
}

func instances(injector, key string) function {
	return func(arguments *part) (made fault, ok bool) {
		ids := arguments.texts(key)
		return fault{injector: injector, targets: yaml.MapSlice{{Key: "ids", Value: ids}}, count: len(ids)}, len(ids) > 0
	}
}

func suspended(arguments *part) (made fault, ok bool) {
	names, processes := arguments.texts("asg_names"), arguments.texts("process_names")
	return fault{injector: "asg-suspend", targets: yaml.MapSlice{{Key: "names", Value: names}}, with: yaml.MapSlice{{Key: "processes", Value: processes}}, count: len(names)},
		len(names) > 0 && len(processes) > 0
}

func throttled(arguments *part) (made fault, ok bool) {
	name := arguments.text("function_name")
	n, is := arguments.number("concurrent_executions")
	return fault{injector: "lambda-throttle", targets: yaml.MapSlice{{Key: "names", Value: []string{name}}}, with: yaml.MapSlice{{Key: "concurrency", Value: int(n)}}}, name != "" && is
}
