/** The other kinds of the core group. */
export const coreDescriptions = `
ConfigMap: Configuration for pods to read.
ConfigMap.data: Values as text, by name.
ConfigMap.binaryData: Values as bytes, by name, in base64.
ConfigMap.immutable: True: the data can't be changed any more.
Secret: Small confidential data such as passwords, tokens and keys.
Secret.data: Values by name, in base64.
Secret.stringData: Values as text; on writing they go into data, and they are never shown.
Secret.type: What the data is for; some types demand certain keys.
Secret.immutable: True: the data can't be changed any more.
Namespace: A space for names; most objects live in one.
NamespaceSpec.finalizers: What must be done before a deleted namespace may go.
NamespaceStatus.phase: Active or Terminating.
ServiceAccount: An identity for programs in pods.
ServiceAccount.secrets: Secrets that pods with this account may use.
ServiceAccount.imagePullSecrets: Credentials for registries that its pods get.
ServiceAccount.automountServiceAccountToken: Whether its pods get a token.
Service: A name and an address for a set of pods.
ServiceSpec.type: ClusterIP, NodePort, LoadBalancer or ExternalName.
ServiceSpec.selector: Labels of the pods behind it. Without it, somebody else keeps the endpoints.
ServiceSpec.clusterIP: Address inside the cluster; None makes the Service headless.
ServiceSpec.clusterIPs: Addresses inside the cluster, the first one as clusterIP.
ServiceSpec.sessionAffinityConfig: How long a client is sent to the same pod.
ServiceSpec.externalIPs: Further addresses that lead to the Service.
ServiceSpec.externalName: Name in DNS that the Service stands for.
ServiceSpec.externalTrafficPolicy: Cluster spreads traffic from outside over all nodes; Local keeps it, and the client's address, on the node.
ServiceSpec.internalTrafficPolicy: Cluster, or Local for pods on the same node only.
ServiceSpec.sessionAffinity: ClientIP sends a client always to the same pod.
ServiceSpec.loadBalancerIP: Address that is wanted from the load balancer.
ServiceSpec.loadBalancerClass: Who makes the load balancer.
ServiceSpec.loadBalancerSourceRanges: Ranges of clients that the load balancer lets in.
ServiceSpec.allocateLoadBalancerNodePorts: False: a load balancer does without node ports.
ServiceSpec.healthCheckNodePort: Port on which nodes say whether they have endpoints.
ServiceSpec.publishNotReadyAddresses: True: pods that are not ready count as if they were.
ServiceSpec.ipFamilies: IPv4, IPv6 or both.
ServiceSpec.ipFamilyPolicy: SingleStack, PreferDualStack or RequireDualStack.
ServiceSpec.trafficDistribution: Which endpoints are preferred.
ServicePort.port: Port of the Service.
ServicePort.targetPort: Port of the pods, by number or name.
ServicePort.nodePort: Port of every node that leads to the Service.
ServicePort.appProtocol: Protocol above TCP or UDP, as a hint.
ServiceStatus.loadBalancer: Addresses of the load balancer.
Endpoints: Addresses behind a Service, in the old form. EndpointSlice is the new one.
Node: A machine that runs pods.
NodeSpec.podCIDR: Range of the addresses of the node's pods.
NodeSpec.podCIDRs: Ranges of the addresses of the node's pods.
NodeSpec.unschedulable: True: no new pods come to the node.
NodeSpec.taints: Keep away pods that don't tolerate them.
NodeSpec.providerID: The cloud's name for the machine.
NodeStatus.addresses: Addresses by which the node is reached.
NodeStatus.nodeInfo: Versions and identifiers of the machine and its software.
NodeStatus.images: Images on the node.
NodeStatus.daemonEndpoints: Where the kubelet listens.
NodeStatus.volumesAttached: Volumes attached to the node.
NodeStatus.volumesInUse: Volumes that pods of the node use.
Taint.effect: NoSchedule, PreferNoSchedule or NoExecute.
Taint.timeAdded: When a NoExecute taint was added.
PersistentVolume: A piece of storage, for a claim to use.
PersistentVolumeSpec.accessModes: How the volume can be mounted: ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod.
PersistentVolumeSpec.claimRef: Claim that the volume belongs to.
PersistentVolumeSpec.persistentVolumeReclaimPolicy: What happens when the claim is gone: Retain, Delete or Recycle.
PersistentVolumeSpec.storageClassName: Class that the volume is of.
PersistentVolumeSpec.mountOptions: Options of the mount.
PersistentVolumeSpec.volumeMode: Filesystem or Block.
PersistentVolumeSpec.nodeAffinity: Nodes that can reach the volume.
PersistentVolumeClaim: A wish for storage.
PersistentVolumeClaimSpec.accessModes: How the volume must be mountable.
PersistentVolumeClaimSpec.storageClassName: Class of storage; the empty one means none.
PersistentVolumeClaimSpec.volumeName: Volume that the claim is bound to.
PersistentVolumeClaimSpec.volumeMode: Filesystem or Block.
PersistentVolumeClaimSpec.dataSource: What the new volume begins with.
PersistentVolumeClaimSpec.dataSourceRef: What the new volume begins with; any kind of object.
Volume: Storage that containers of a pod may mount, by its kind.
Volume.emptyDir: An empty directory that lives as long as the pod.
Volume.hostPath: A file or directory of the node.
Volume.configMap: A ConfigMap as files.
Volume.secret: A Secret as files.
Volume.downwardAPI: Fields of the pod as files.
Volume.projected: Several of these in one directory.
Volume.persistentVolumeClaim: The volume of a claim.
Volume.ephemeral: A volume with a claim of its own, which goes with the pod.
Volume.csi: A volume made by a CSI driver.
Volume.nfs: A directory of an NFS server.
Volume.image: An image's files, to read.
EmptyDirVolumeSource.medium: Memory keeps the files in memory; default is the disk.
EmptyDirVolumeSource.sizeLimit: The most that may be written.
HostPathVolumeSource.path: Path on the node.
HostPathVolumeSource.type: What must be there, or is made.
ConfigMapVolumeSource.items: Keys and the files they become; default all.
ConfigMapVolumeSource.defaultMode: Mode of the files.
SecretVolumeSource.secretName: Name of the Secret.
SecretVolumeSource.items: Keys and the files they become; default all.
SecretVolumeSource.defaultMode: Mode of the files.
PersistentVolumeClaimVolumeSource.claimName: Name of a claim in the pod's namespace.
ResourceQuota: Limits what a namespace may use and have.
ResourceQuotaSpec.hard: The most of each resource, and of each kind of object.
ResourceQuotaSpec.scopes: Which pods are counted.
ResourceQuotaSpec.scopeSelector: Which pods are counted, by expressions.
ResourceQuotaStatus.used: What is used.
LimitRange: Defaults and limits for the resources of each pod, container or claim of a namespace.
LimitRangeSpec.limits: The limits.
LimitRangeItem.default: Limits of containers that name none.
LimitRangeItem.defaultRequest: Requests of containers that name none.
LimitRangeItem.max: The most of each resource.
LimitRangeItem.min: The least of each resource.
ReplicationController: Keeps a number of pods running; the predecessor of ReplicaSet.
PodTemplate: A template for pods, for others to use.
Event: Something that happened to an object. Kept for a while only.
Event.involvedObject: What it is about.
Event.regarding: What it is about.
Event.type: Normal or Warning.
Event.count: How often it happened.
Event.firstTimestamp: When it happened first.
Event.lastTimestamp: When it happened last.
Event.note: What happened, in words.
Event.action: What was done, or failed.
Binding: Puts a pod on a node.
ComponentStatus: Health of a part of the control plane. Deprecated.
`;
