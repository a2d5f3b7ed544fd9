"""Django REST Framework on Blogsite's models, served by gunicorn."""

from dataclasses import asdict
from typing import Any

import jwt
from django.urls import path
from django.utils import timezone
from rest_framework import authentication, exceptions, generics, pagination, permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from posts.access import Access
from posts.content.markdown import render
from posts.content.slugs import slug_from
from posts.models import Post, PostQuerySet
from tests.benchmarks.peers import tokens


class TokenAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, None] | None:
        header = authentication.get_authorization_header(request).decode()
        if not header:
            return None
        try:
            user = User.objects.with_account().active().get(pk=tokens.verify(header.removeprefix("Bearer ")))
        except (jwt.InvalidTokenError, User.DoesNotExist) as error:
            raise exceptions.AuthenticationFailed from error
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class MayWrite(permissions.BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.method in permissions.SAFE_METHODS or request.user.has_perm("posts.add_post")


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "username", "full_name"]


class PostSummarySerializer(serializers.ModelSerializer):
    excerpt = serializers.CharField(source="summary")
    status = serializers.CharField(read_only=True)
    author = AuthorSerializer(read_only=True)
    cover_image = serializers.ReadOnlyField(default=None)
    highlight = serializers.ReadOnlyField(default=None)

    class Meta:
        model = Post
        fields = [
            *("id", "title", "slug", "excerpt", "tags", "published", "published_at", "status", "author"),
            *("cover_image", "reading_minutes", "created_at", "updated_at", "version", "highlight"),
        ]


class PostSerializer(PostSummarySerializer):
    class Meta(PostSummarySerializer.Meta):
        fields = [*PostSummarySerializer.Meta.fields, "content", "content_html"]


class PostCreateSerializer(serializers.Serializer):
    title = serializers.CharField(max_length=200)
    content = serializers.CharField(max_length=1024 * 1024)
    tags = serializers.ListField(child=serializers.CharField(max_length=50), max_length=50, default=list)
    excerpt = serializers.CharField(max_length=500, default="")
    published = serializers.BooleanField(default=False)
    published_at = serializers.DateTimeField(default=None)

    def create(self, validated_data: dict[str, Any]) -> Post:
        if validated_data["published"] and validated_data["published_at"] is None:
            validated_data["published_at"] = timezone.now()
        rendered = asdict(render(validated_data["content"]))
        return Post.objects.create(slug=slug_from(validated_data["title"]), **rendered, **validated_data)

    def to_representation(self, instance: Post) -> dict[str, Any]:
        shown: dict[str, Any] = PostSerializer(instance, context=self.context).data
        return shown


class NewestFirst(pagination.CursorPagination):
    page_size = 20
    ordering = ("-published_at", "-id")

    def get_paginated_response(self, data: list[Any]) -> Response:
        return Response({"items": data, "next": self.get_next_link()})


class Posts(generics.ListCreateAPIView):
    authentication_classes = [TokenAuthentication]
    pagination_class = NewestFirst
    permission_classes = [MayWrite]

    def get_queryset(self) -> PostQuerySet:
        return Post.objects.published().with_summary()

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return PostCreateSerializer if self.request.method == "POST" else PostSummarySerializer

    def perform_create(self, serializer: serializers.BaseSerializer) -> None:
        serializer.save(author=self.request.user)


class OnePost(generics.RetrieveAPIView):
    authentication_classes = [TokenAuthentication]
    serializer_class = PostSerializer

    def get_queryset(self) -> PostQuerySet:
        return Post.objects.visible_to(Access.to_posts(self.request.user)).with_content()


urlpatterns = [path("api/v1/posts", Posts.as_view()), path("api/v1/posts/<int:pk>", OnePost.as_view())]
