/** Pods and what is in them. */
export const podDescriptions = `
Pod: Containers that run together on one node and share a network address and volumes.
PodList: Pods.
PodTemplateSpec: What pods made from this look like.
PodSpec.volumes: Volumes that containers of the pod may mount.
PodSpec.initContainers: Containers that run, one after the other, before the others start. One with restartPolicy Always goes on beside them.
PodSpec.containers: Containers of the pod; there is at least one. They can't be added or removed later.
PodSpec.ephemeralContainers: Containers that were added to a running pod, to look into it.
PodSpec.restartPolicy: Whether containers that ended are started again: Always, OnFailure or Never.
PodSpec.activeDeadlineSeconds: Seconds after which the pod is ended and counts as failed.
PodSpec.dnsPolicy: Where the pod's DNS settings come from: ClusterFirst, ClusterFirstWithHostNet, Default (the node's) or None.
PodSpec.dnsConfig: DNS settings that are added to those of the policy.
PodSpec.serviceAccountName: ServiceAccount that the pod acts as.
PodSpec.serviceAccount: The old name of serviceAccountName.
PodSpec.automountServiceAccountToken: Whether containers find a token of the ServiceAccount in their file system.
PodSpec.nodeName: Node that the pod runs on. Set by the scheduler.
PodSpec.nodeSelector: Labels that a node must have to run the pod.
PodSpec.hostNetwork: True: the pod uses the network of its node.
PodSpec.hostPID: True: containers see the processes of the node.
PodSpec.hostIPC: True: containers share the IPC of the node.
PodSpec.hostUsers: False: users in the pod are others than those of the node.
PodSpec.shareProcessNamespace: True: containers of the pod see each other's processes.
PodSpec.securityContext: Rights and identities of all containers.
PodSpec.imagePullSecrets: Secrets with credentials for registries.
PodSpec.hostname: Host name of the pod; default its name.
PodSpec.hostnameOverride: Full host name of the pod, in place of hostname and subdomain.
PodSpec.schedulingGroup: Group of pods that are scheduled together.
PodSpec.subdomain: Together with hostname gives the pod a name in DNS, below a Service of this name.
PodSpec.setHostnameAsFQDN: True: the host name is the full one.
PodSpec.affinity: Wishes and demands on which nodes, and near which other pods, the pod runs.
PodSpec.schedulerName: Scheduler that places the pod.
PodSpec.tolerations: Taints of nodes that the pod puts up with.
PodSpec.hostAliases: Lines for /etc/hosts.
PodSpec.priorityClassName: PriorityClass of the pod, which decides who gives way to whom.
PodSpec.priority: Number of the priority class. Set by admission.
PodSpec.preemptionPolicy: Whether pods of lower priority are removed for this one: PreemptLowerPriority or Never.
PodSpec.readinessGates: Conditions, beside those of containers, that must be True for the pod to be ready.
PodSpec.runtimeClassName: RuntimeClass by which containers are run.
PodSpec.enableServiceLinks: Whether Services of the namespace stand in environment variables.
PodSpec.overhead: What the pod itself needs beside its containers. Set from the RuntimeClass.
PodSpec.topologySpreadConstraints: How pods are spread over zones, nodes or other groups.
PodSpec.os: Operating system that the containers are for.
PodSpec.schedulingGates: The pod is not scheduled while it has any.
PodSpec.resourceClaims: Claims of devices that containers refer to.
PodSpec.resources: Resources of the pod as a whole.
PodStatus.phase: Pending, Running, Succeeded, Failed or Unknown.
PodStatus.hostIP: Address of the node.
PodStatus.hostIPs: Addresses of the node.
PodStatus.podIP: Address of the pod.
PodStatus.podIPs: Addresses of the pod, the first one as podIP.
PodStatus.startTime: When the kubelet took the pod on.
PodStatus.containerStatuses: State of each container.
PodStatus.initContainerStatuses: State of each init container.
PodStatus.ephemeralContainerStatuses: State of each ephemeral container.
PodStatus.qosClass: Guaranteed, Burstable or BestEffort, after requests and limits.
PodStatus.nominatedNodeName: Node on which room is being made for the pod.
Container: A program from an image, run in a pod.
Container.image: Image that the container is made from.
Container.command: Program and first arguments, in place of the image's entry point. $(NAME) stands for a variable.
Container.args: Arguments, in place of the image's. $(NAME) stands for a variable.
Container.workingDir: Directory that the program starts in.
Container.ports: Ports that the container listens on; the list is for information and for hostPort.
Container.env: Environment variables.
Container.envFrom: ConfigMaps and Secrets whose keys become environment variables.
Container.resources: What the container may use, and what is kept for it.
Container.resizePolicy: Whether a change of resources needs a restart.
Container.restartPolicy: Always makes an init container go on beside the others.
Container.volumeMounts: Where volumes of the pod appear in the container's file system.
Container.volumeDevices: Block devices of the container.
Container.livenessProbe: Tells whether the container has to be restarted.
Container.readinessProbe: Tells whether the container may get requests.
Container.startupProbe: Tells when the container has started; the other probes wait for it.
Container.lifecycle: What is done after the start and before the end.
Container.terminationMessagePath: File whose content becomes the container's last message.
Container.terminationMessagePolicy: File, or FallbackToLogsOnError to take the end of the log of a failed container.
Container.imagePullPolicy: When the image is pulled: Always, IfNotPresent or Never.
Container.restartPolicyRules: Exit codes after which the container is started again.
Container.securityContext: Rights and identity of the container.
Container.stdin: True: the container has an open standard input.
Container.stdinOnce: True: standard input is closed when the first client leaves.
Container.tty: True: the container has a terminal.
ContainerPort.containerPort: Port in the pod.
ContainerPort.hostPort: Port of the node that leads to it.
ContainerPort.hostIP: Address of the node for hostPort.
EphemeralContainer: A container added to a running pod, to look into it.
EphemeralContainer.targetContainerName: Container whose processes it sees.
HTTPGetAction.scheme: HTTP or HTTPS.
HTTPGetAction.httpHeaders: Headers of the request.
EnvVar.value: The value; $(NAME) stands for a variable that was set before.
EnvVar.valueFrom: Where the value comes from, in place of value.
EnvVarSource.fieldRef: A field of the pod.
EnvVarSource.resourceFieldRef: A resource of a container.
EnvVarSource.configMapKeyRef: A key of a ConfigMap.
EnvVarSource.secretKeyRef: A key of a Secret.
EnvFromSource.prefix: What the names of the variables begin with.
VolumeMount.mountPath: Path in the container.
VolumeMount.subPath: Path in the volume that is mounted; default all of it.
VolumeMount.subPathExpr: The same, with $(NAME) for variables.
VolumeMount.mountPropagation: Whether mounts made on one side are seen on the other: None, HostToContainer or Bidirectional.
VolumeMount.recursiveReadOnly: Whether mounts below are read-only too.
Probe: How a container is asked about its health.
Probe.exec: A command in the container; exit code 0 is success.
Probe.httpGet: An HTTP request; codes from 200 to 399 are success.
Probe.tcpSocket: A connection; that it is made is success.
Probe.grpc: A call of the gRPC health service.
Probe.initialDelaySeconds: Seconds after the start before the first try.
Probe.periodSeconds: Seconds between tries.
Probe.successThreshold: Successes in a row that make it healthy.
Probe.failureThreshold: Failures in a row that make it unhealthy.
Lifecycle.postStart: Done right after the container has started.
Lifecycle.preStop: Done before the container is asked to end.
ResourceRequirements.claims: Claims of the pod that this container uses.
SecurityContext.privileged: True: the container has all rights of root on the node.
SecurityContext.runAsUser: User number of the program.
SecurityContext.runAsGroup: Group number of the program.
SecurityContext.runAsNonRoot: True: the container does not start as root.
SecurityContext.readOnlyRootFilesystem: True: the image's file system can't be written.
SecurityContext.allowPrivilegeEscalation: Whether the program may gain rights that its parent has not.
SecurityContext.capabilities: Linux capabilities that are added and dropped.
SecurityContext.seccompProfile: Which system calls are allowed.
SecurityContext.appArmorProfile: AppArmor profile of the program.
PodSecurityContext.fsGroup: Group that owns files in volumes, and that all containers belong to.
PodSecurityContext.fsGroupChangePolicy: When ownership of files is changed: Always or OnRootMismatch.
PodSecurityContext.supplementalGroups: Further groups of all programs.
PodSecurityContext.sysctls: Kernel settings of the pod.
Toleration.effect: Effect of the taint: NoSchedule, PreferNoSchedule or NoExecute; empty is any.
Toleration.operator: Exists or Equal.
Toleration.tolerationSeconds: How long a NoExecute taint is put up with; absent is for ever.
Affinity.nodeAffinity: About nodes.
Affinity.podAffinity: Near which pods.
Affinity.podAntiAffinity: Away from which pods.
TopologySpreadConstraint.maxSkew: By how many pods groups may differ.
TopologySpreadConstraint.topologyKey: Label of nodes that makes the groups.
TopologySpreadConstraint.whenUnsatisfiable: DoNotSchedule or ScheduleAnyway.
ContainerStatus.state: What the container does now.
ContainerStatus.lastState: How it ended the last time.
ContainerStatus.ready: Whether it may get requests.
ContainerStatus.restartCount: How often it was started again.
ContainerStatus.imageID: What the image was resolved to.
ContainerStatus.containerID: The runtime's name for it.
ContainerStatus.started: Whether it has started, by its startup probe.
ContainerState.waiting: It does not run yet; reason says why.
ContainerState.running: It runs.
ContainerState.terminated: It has ended.
`;
